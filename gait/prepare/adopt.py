"""Takes over a pkl tree that another program has written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError
from gait.modalities import MODALITIES, SILHOUETTES
from gait.prepare.manifest import ManifestRow
from gait.prepare.pkl import read_pkl
from gait.types import SequenceKey

_OTHER = "pkl of something else beside the silhouettes"


@dataclass(frozen=True, slots=True)
class Tree:
    """What a pkl tree holds.

    Attributes:
        rows: one manifest row a pkl, sorted by key and modality.
        ignored: number of files and folders that are no part of the tree, by kind.
    """

    rows: list[ManifestRow]
    ignored: dict[str, int] = field(default_factory=dict)


def manifest_of_tree(root: Path) -> Tree:
    """The manifest of the tree `root/pkl/<subject>/<condition>/<view>/*.pkl`, each pkl checked.

    The file `<view>.pkl` holds a sequence's silhouettes and `<view>-<modality>.pkl` that modality.
    A file of another name holds silhouettes where it is the only one left; beside them it is
    ignored, as what it holds cannot be known.

    Args:
        root: the dataset's folder.

    Raises:
        DataError: there is no such tree, a pkl does not hold what its name says, or it is not
            clear which one of a sequence holds its silhouettes.
    """
    ignored: Counter[str] = Counter()
    rows = []
    for leaf in _leaves(root / "pkl", ignored):
        for modality, file in sorted(_files(leaf, ignored).items()):
            frames = read_pkl(file, modality)
            rows.append(
                ManifestRow(
                    key=SequenceKey(*leaf.parts[-3:]),
                    pkl=file.relative_to(root).as_posix(),
                    frames_read=len(frames),
                    frames_kept=len(frames),
                    sha256=hashlib.sha256(frames.data).hexdigest(),
                    modality=modality,
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


def _files(leaf: Path, ignored: Counter[str]) -> dict[str, Path]:
    """The files of a sequence by modality; none where there is no pkl."""
    inside = sorted(leaf.iterdir())
    pkl = {path.stem: path for path in inside if path.suffix == ".pkl" and path.is_file()}
    if len(inside) > len(pkl):
        ignored["no pkl"] += len(inside) - len(pkl)
    if not pkl:
        ignored["sequence folder without a pkl"] += 1
        return {}
    named = {
        each: pkl.pop(f"{leaf.name}-{each}") for each in MODALITIES if f"{leaf.name}-{each}" in pkl
    }
    if leaf.name in pkl:
        if SILHOUETTES in named:
            ignored[_OTHER] += 1
        named[SILHOUETTES] = pkl.pop(leaf.name)
    elif SILHOUETTES not in named:
        if len(pkl) != 1:
            found = sorted(path.name for path in (*pkl.values(), *named.values()))
            raise DataError(
                f"{leaf}: expected one pkl, or one named {leaf.name}.pkl among several, found "
                f"{', '.join(found)}; name the one that holds silhouettes {leaf.name}.pkl"
            )
        named[SILHOUETTES] = pkl.popitem()[1]
    if pkl:
        ignored[_OTHER] += len(pkl)
    return named
