"""Takes over a pkl tree that another program has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.manifest import ManifestRow
from gait.formats.pkl import digest_of, read_pkl, read_unnamed, write_pkl
from gait.modalities import SILHOUETTES
from gait.prepare.catalogue.pkl_names import Pkl, is_told_by_shape, main_modality, named_files
from gait.prepare.raw.files import unfit_name
from gait.prepare.silhouettes import values
from gait.progress import Progress
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


def manifest_of_tree(root: Path, pkl: Pkl = SILHOUETTES, convert: bool = False) -> Tree:
    """The manifest of the tree `root/pkl/<subject>/<condition>/<view>/*.pkl`, each pkl checked.

    What a file holds is told by its name, see `named_files`. Where `pkl` is a modality, or no name
    tells anything, a single file of another name is taken for the main modality where it may hold
    it; if not, for the one modality that its type and shape fit. Other files are ignored.

    Args:
        root: the dataset's folder.
        pkl: which files hold what, as in the dataset.yaml.
        convert: whether silhouettes of other values than 0 and 255 are written anew with these,
            where it is certain what their values mean.

    Raises:
        DataError: there is no such tree, a pkl does not hold what its name says, it is not clear
            what those of a sequence hold, they have different numbers of frames, or silhouettes
            have other values and are not to be converted.
    """
    ignored: Counter[str] = Counter()
    rows = []
    found = list(leaves(root / "pkl", ignored))
    progress = Progress("taking over", len(found), "sequences")
    for leaf in found:
        for modality, file, frames in arrays_of(leaf, pkl, ignored):
            guessed: dict[str, int] = {}
            if modality == SILHOUETTES:
                assert isinstance(frames, np.ndarray)
                frames, guessed = _usual(file, frames, convert)
            rows.append(
                ManifestRow(
                    key=SequenceKey(*leaf.parts[-3:]),
                    pkl=file.relative_to(root).as_posix(),
                    frames_read=len(frames),
                    frames_kept=len(frames),
                    sha256=digest_of(frames),
                    modality=modality,
                    guessed=guessed,
                )
            )
        progress.advance()
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
    if tree.is_file():
        raise DataError(
            f"{tree}: expected a folder, got a file; put <subject>/<condition>/<view>/<view>.pkl "
            "into a folder of that name"
        )
    if not tree.is_dir():
        raise DataError(
            f"{tree}: expected <subject>/<condition>/<view>/<view>.pkl, found no folder"
        )
    folders = [tree]
    for _ in SequenceKey._fields:
        inside = [path for folder in folders for path in _inside(folder, ignored)]
        folders = [path for path in inside if path.is_dir()]
        if len(inside) > len(folders):
            ignored["file beside the folders of sequences"] += len(inside) - len(folders)
    yield from sorted(folders, key=lambda folder: folder.parts)


def _inside(folder: Path, ignored: Counter[str]) -> Iterator[Path]:
    """What lies in a folder, without names that no table can hold."""
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be listed ({error.strerror}); make the folder readable"
        ) from error
    for path in paths:
        if reason := unfit_name(path.name):
            ignored[reason] += 1
        else:
            yield path


def arrays_of(leaf: Path, pkl: Pkl, ignored: Counter[str]) -> list[Found]:
    """What a sequence has, sorted by modality; nothing where there is no pkl.

    Raises:
        DataError: a pkl does not hold what its name says, it is not clear what it holds, or it has
            other frames than the others.
    """
    inside = sorted(_inside(leaf, ignored))
    files = {path.name: path for path in inside if path.suffix == ".pkl" and path.is_file()}
    if len(inside) > len(files):
        ignored["no pkl"] += len(inside) - len(files)
    if not files:
        ignored["sequence folder without a pkl"] += 1
        return []
    named = named_files(leaf, files, pkl)
    main = main_modality(pkl)
    others = [path for name, path in files.items() if name not in named.values()]
    told_by_shape = None
    if is_told_by_shape(len(others), named, pkl):
        told_by_shape = _told_by_shape(others[0], main, named)
    elif not named:
        raise DataError(
            f"{leaf}: expected one pkl, or one named {leaf.name}.pkl among several, found "
            f"{', '.join(files)}; say by `pkl` in dataset.yaml which of them holds what, or name "
            f"the one that holds {main} {leaf.name}.pkl, and others to be used "
            f"{leaf.name}-<modality>.pkl"
        )
    arrays = [(each, files[name], _read(files[name], each, pkl)) for each, name in named.items()]
    if told_by_shape is not None:
        others.clear()
        arrays.append(told_by_shape)
    ignored[OTHER] += len(others)
    _refuse_other_lengths(arrays)
    return sorted(arrays, key=lambda each: each[0])


def _usual(
    path: Path, frames: NDArray[np.uint8], convert: bool
) -> tuple[NDArray[np.uint8], dict[str, int]]:
    """Silhouettes of 0 and 255, and what was done to them; written anew if they had to be."""
    meaning = values.meaning_of_all(frames)
    if meaning is None or meaning.is_usual or not meaning.is_clear:
        return frames, {}
    usual, foreign = values.converted(frames, meaning)
    found = f"{path}: expected silhouettes of the values 0 and 255, got {meaning}"
    if len(foreign):
        raise DataError(
            f"{found}, and others in frame {foreign[0]}; make the file again with 255 for the "
            "walker, or take its sequence away"
        )
    if not convert:
        raise DataError(
            f"{found}; run gait import-pkl with --convert, which writes such files anew, or make "
            "them again with 255 for the walker"
        )
    write_pkl(path, usual)
    return usual, {meaning.note: len(usual)}


def _read(path: Path, modality: str, pkl: Pkl) -> Frames:
    try:
        return read_pkl(path, modality)
    except DataError as error:
        if isinstance(pkl, str) or modality not in pkl or modality == main_modality(pkl):
            raise
        raise DataError(
            f"{error}; where no model reads {modality}, take it out of `pkl` in dataset.yaml"
        ) from None


def _refuse_other_lengths(arrays: list[Found]) -> None:
    for (_, one, frames), (_, other, others) in pairwise(arrays):
        if len(frames) != len(others):
            raise DataError(
                f"{other}: expected the {len(frames)} frames of {one.name}, got {len(others)}; a "
                "frame of one has to be the same moment as in the others: name files of one "
                "length under `pkl` in dataset.yaml, or move those of the other away"
            )


def _told_by_shape(path: Path, expected: str, named: dict[str, str]) -> Found | None:
    """The one pkl without a name; None where others have one and this adds nothing to them."""
    told = read_unnamed(path, SILHOUETTES if expected in named else expected, alone=not named)
    if told is None or told[0] in named:
        return None
    modality, frames = told
    return modality, path, frames
