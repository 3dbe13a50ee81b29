"""Takes over a pkl tree that another program has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gait.errors import DataError
from gait.modalities import MODALITIES, SILHOUETTES
from gait.prepare.manifest import ManifestRow
from gait.prepare.pkl import digest_of, read_pkl, read_unnamed
from gait.ragged import Frames
from gait.types import SequenceKey

OTHER = "pkl of something else beside those used"
# What a pkl holds, its path, and its frames.
Found = tuple[str, Path, Frames]


@dataclass(frozen=True, slots=True)
class Tree:
    """What a pkl tree holds.

    Attributes:
        rows: one manifest row a pkl, sorted by key and modality.
        ignored: number of files and folders that are no part of the tree, by kind.
    """

    rows: list[ManifestRow]
    ignored: dict[str, int] = field(default_factory=dict)


def manifest_of_tree(root: Path, unnamed: str = SILHOUETTES) -> Tree:
    """The manifest of the tree `root/pkl/<subject>/<condition>/<view>/*.pkl`, each pkl checked.

    The file `<view>-<modality>.pkl` holds that modality of a sequence, and `<view>.pkl` what
    `unnamed` says, or its silhouettes where there is a file of that name besides. A file of
    another name is taken for the same where it is the only one left and may hold it; if not, for
    the one modality that its type and shape fit. Other files beside these are ignored.

    Args:
        root: the dataset's folder.
        unnamed: the modality in pkl files whose name does not say it.

    Raises:
        DataError: there is no such tree, a pkl does not hold what its name says, or it is not
            clear what those of a sequence hold.
    """
    ignored: Counter[str] = Counter()
    rows = []
    for leaf in leaves(root / "pkl", ignored):
        for modality, file, frames in arrays_of(leaf, unnamed, ignored):
            rows.append(
                ManifestRow(
                    key=SequenceKey(*leaf.parts[-3:]),
                    pkl=file.relative_to(root).as_posix(),
                    frames_read=len(frames),
                    frames_kept=len(frames),
                    sha256=digest_of(frames),
                    modality=modality,
                )
            )
    if not rows:
        raise DataError(
            f"{root / 'pkl'}: expected <subject>/<condition>/<view>/<view>.pkl, found no pkl there"
        )
    return Tree(rows, {kind: number for kind, number in ignored.items() if number})


def leaves(tree: Path, ignored: Counter[str]) -> Iterator[Path]:
    """The folders three levels down, in the order of their keys.

    Raises:
        DataError: there is no such tree.
    """
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


def arrays_of(leaf: Path, unnamed: str, ignored: Counter[str]) -> list[Found]:
    """What a sequence has, sorted by modality; nothing where there is no pkl.

    Raises:
        DataError: a pkl does not hold what its name says, or it is not clear what it holds.
    """
    inside = sorted(leaf.iterdir())
    pkl = {path.stem: path for path in inside if path.suffix == ".pkl" and path.is_file()}
    if len(inside) > len(pkl):
        ignored["no pkl"] += len(inside) - len(pkl)
    if not pkl:
        ignored["sequence folder without a pkl"] += 1
        return []
    named = {
        each: pkl.pop(f"{leaf.name}-{each}") for each in MODALITIES if f"{leaf.name}-{each}" in pkl
    }
    if unnamed in named:
        unnamed = SILHOUETTES
    told_by_shape = None
    if leaf.name in pkl:
        ignored[OTHER] += unnamed in named
        named[unnamed] = pkl.pop(leaf.name)
    elif len(pkl) == 1 and unnamed not in named:
        told_by_shape = _told_by_shape(next(iter(pkl.values())), unnamed, named)
    elif not named:
        raise DataError(
            f"{leaf}: expected one pkl, or one named {leaf.name}.pkl among several, found "
            f"{', '.join(path.name for path in pkl.values())}; name the one that holds {unnamed} "
            f"{leaf.name}.pkl, and others to be used {leaf.name}-<modality>.pkl"
        )
    arrays = [(each, path, read_pkl(path, each)) for each, path in named.items()]
    if told_by_shape is not None:
        pkl.clear()
        arrays.append(told_by_shape)
    ignored[OTHER] += len(pkl)
    return sorted(arrays, key=lambda each: each[0])


def _told_by_shape(path: Path, expected: str, named: dict[str, Path]) -> Found | None:
    """The one pkl without a name; None where others have one and this adds nothing to them."""
    told = read_unnamed(path, expected, alone=not named)
    if told is None or told[0] in named:
        return None
    modality, frames = told
    return modality, path, frames
