"""Takes over a pkl tree that another program has written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError
from gait.prepare.manifest import ManifestRow
from gait.prepare.pkl import read_pkl
from gait.types import SequenceKey


@dataclass(frozen=True, slots=True)
class Tree:
    """What a pkl tree holds.

    Attributes:
        rows: one manifest row a sequence, sorted by key.
        ignored: number of files and folders that are no part of the tree, by kind.
    """

    rows: list[ManifestRow]
    ignored: dict[str, int] = field(default_factory=dict)


def manifest_of_tree(root: Path) -> Tree:
    """The manifest of the tree `root/pkl/<subject>/<condition>/<view>/*.pkl`, each pkl checked.

    Where a sequence has several files, the one named `<view>.pkl` holds its silhouettes and the
    others, which hold something else, are ignored.

    Args:
        root: the dataset's folder.

    Raises:
        DataError: there is no such tree, a pkl is not one of silhouettes, or a sequence has
            several and none of them is named for its view.
    """
    ignored: Counter[str] = Counter()
    rows = []
    for leaf in _leaves(root / "pkl", ignored):
        file = _silhouettes(leaf, ignored)
        if file is None:
            continue
        frames = read_pkl(file)
        rows.append(
            ManifestRow(
                key=SequenceKey(*leaf.parts[-3:]),
                pkl=file.relative_to(root).as_posix(),
                frames_read=len(frames),
                frames_kept=len(frames),
                sha256=hashlib.sha256(frames.data).hexdigest(),
            )
        )
    if not rows:
        raise DataError(
            f"{root / 'pkl'}: expected <subject>/<condition>/<view>/<view>.pkl, found no pkl there"
        )
    return Tree(rows, dict(ignored))


def _leaves(tree: Path, ignored: Counter[str]) -> Iterator[Path]:
    """The folders three levels down, in the order of their keys."""
    if not tree.is_dir():
        raise DataError(
            f"{tree}: expected <subject>/<condition>/<view>/<view>.pkl, found no folder"
        )
    folders = [tree]
    for _ in SequenceKey._fields:
        inside = [path for folder in folders for path in folder.iterdir()]
        folders = [path for path in inside if path.is_dir()]
        if len(inside) > len(folders):
            ignored["file beside the folders of sequences"] += len(inside) - len(folders)
    yield from sorted(folders, key=lambda folder: folder.parts)


def _silhouettes(leaf: Path, ignored: Counter[str]) -> Path | None:
    inside = sorted(leaf.iterdir())
    files = [path for path in inside if path.suffix == ".pkl" and path.is_file()]
    named = [path for path in files if path.stem == leaf.name]
    if len(files) > 1 and not named:
        raise DataError(
            f"{leaf}: expected one pkl, or one named {leaf.name}.pkl among several, found "
            f"{', '.join(path.name for path in files)}; rename the one that holds silhouettes"
        )
    chosen = named or files
    if not chosen:
        ignored["sequence folder without a pkl"] += 1
    if len(files) > 1:
        ignored["pkl of something else beside the silhouettes"] += len(files) - 1
    if len(inside) > len(files):
        ignored["no pkl"] += len(inside) - len(files)
    return chosen[0] if chosen else None
