"""Looks at a pkl tree: names and sizes of all files, a few of them read.

File names are interpreted as in `gait.prepare.sequences.import_tree`, sequence by sequence.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.config.dataset import Dataset
from gait.errors import DataError
from gait.modalities import MODALITIES, SILHOUETTES
from gait.prepare.catalogue.pkl_names import Pkl, is_told_by_shape, named_files
from gait.prepare.check import values
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.check.raw import short_ones, spread
from gait.prepare.sequences.import_tree import OTHER, arrays_of, leaves
from gait.ragged import Ragged
from gait.types import SequenceKey

_SAMPLE = 16
# Type and shape of a pickled array take less; of smaller frames the size does not tell how many.
_OVERHEAD_BYTES = 256
# The last byte of every pickle.
_STOP = b"."


@dataclass(frozen=True, slots=True)
class PklTree:
    """What the names in a pkl tree tell.

    Attributes:
        files: the pkl files of each sequence, each by its modality, or where its name does not
            tell that, by the form that such names have in every sequence.
        ignored: files and folders that are no part of it, by kind.
    """

    files: dict[SequenceKey, dict[str, Path]]
    ignored: Counter[str] = field(default_factory=Counter)


def list_tree(tree: Path, pkl: Pkl) -> PklTree:
    """The sequences of the tree `<subject>/<condition>/<view>/*.pkl` that have a pkl.

    Args:
        tree: the folder.
        pkl: which files hold what, as in the dataset.yaml.

    Raises:
        DataError: there is no such tree, it cannot be listed, or it is not clear what a file of a
            sequence holds.
    """
    ignored: Counter[str] = Counter()
    files: dict[SequenceKey, dict[str, Path]] = {}
    try:
        for leaf in leaves(tree, ignored):
            inside = sorted(leaf.iterdir())
            found = {path.name: path for path in inside if _is_pkl(path)}
            if len(inside) > len(found):
                ignored["files that are no pkl"] += len(inside) - len(found)
            if found:
                modality = {name: each for each, name in named_files(leaf, found, pkl).items()}
                files[SequenceKey(*leaf.parts[-3:])] = {
                    modality.get(name) or _form(path): path for name, path in found.items()
                }
            else:
                ignored["sequence folders without a pkl"] += 1
    except OSError as error:
        raise DataError(
            f"{error.filename}: cannot be listed ({error.strerror}); make the folder readable"
        ) from None
    return PklTree(files, ignored)


def check_pkl_tree(tree: PklTree, definition: Dataset) -> Iterator[Finding]:
    """Files that are damaged, missing beside others, suspiciously short, or of no use."""
    torn = [path for files in tree.files.values() for path in files.values() if not _has_end(path)]
    if torn:
        fix = "copy them again, or delete them; a tree with such a file is not taken over"
        yield Finding(Severity.error, "pkl files cut short", len(torn), such_as(torn), fix)
    damaged = set(torn)
    # What files hold whose names do not tell it, by their forms; nothing for those of no use.
    held: dict[str, str] = {}
    frame_bytes: dict[str, int] = {}
    silhouettes: list[tuple[str, NDArray[np.uint8]]] = []
    keys = list(tree.files)
    for index in spread(len(keys), _SAMPLE):
        files = tree.files[keys[index]]
        if damaged.intersection(files.values()):
            continue
        names = {path: name for name, path in files.items()}
        try:
            arrays = arrays_of(next(iter(names)).parent, definition.pkl, Counter())
        except DataError as error:
            what, _, fix = str(error).partition("; ")
            fix = fix or "copy it again, or take its sequence away"
            yield Finding(Severity.error, "sequences cannot be taken over", 0, what, fix)
            return
        held = dict.fromkeys(_unnamed(files), "") | held
        for modality, path, frames in arrays:
            if modality == SILHOUETTES and isinstance(frames, np.ndarray):
                silhouettes.append((str(path), frames))
            if names[path] != modality:
                held[names[path]] = modality
            # Of ragged frames, a file's size does not tell how many there are.
            frame_bytes[names[path]] = 0 if isinstance(frames, Ragged) else frames[0].nbytes
    yield from values.of_arrays(silhouettes)
    yield from _missing(tree, held, definition.pkl)
    for name in sorted(frame_bytes):
        if frame_bytes[name] > _OVERHEAD_BYTES:
            sizes = (
                (str(files[name]), files[name].stat().st_size // frame_bytes[name])
                for files in tree.files.values()
                if name in files and files[name] not in damaged
            )
            yield from short_ones(sizes)
    ignored = Counter(tree.ignored)
    for files in tree.files.values():
        ignored[OTHER] += sum(held.get(name) == "" for name in _unnamed(files))
    there = {name for files in tree.files.values() for name in files} | set(held.values())
    if absent := [each for each in definition.whole.modalities if each not in there]:
        yield Finding(
            Severity.note,
            "modalities that the dataset has and this tree has not",
            len(absent),
            such_as(absent),
            "models that read them cannot run; name their files <view>-<modality>.pkl, or say "
            "by `pkl` in dataset.yaml what they are called",
        )
    for kind, number in sorted((+ignored).items()):
        yield Finding(Severity.note, kind, number, "", "they are not used; nothing has to be done")


def _missing(tree: PklTree, held: dict[str, str], pkl: Pkl) -> Iterator[Finding]:
    """Modalities that some sequences have and others lack, as far as is known of their files."""
    example: dict[str, Path] = {}
    lacking: dict[str, list[SequenceKey]] = defaultdict(list)
    known: dict[SequenceKey, set[str]] = {}
    for key, files in tree.files.items():
        unnamed = _unnamed(files)
        found = {name: path for name, path in files.items() if name in MODALITIES}
        if is_told_by_shape(len(unnamed), found, pkl):
            if (modality := held.get(unnamed[0])) is None:
                continue
            found |= {modality: files[unnamed[0]]} if modality else {}
        known[key] = set(found)
        example = found | example
    for key, modalities in known.items():
        for modality in example.keys() - modalities:
            lacking[modality].append(key)
    for modality, keys in sorted(lacking.items()):
        yield Finding(
            Severity.error,
            f"sequences without {modality}, which others have as {_form(example[modality])}",
            len(keys),
            such_as(keys),
            "give it to every sequence or to none: add these files, or move the others away",
        )


def _is_pkl(path: Path) -> bool:
    """Whether this is a pkl or a link to one that is gone, and nothing that waits for a writer."""
    return path.suffix == ".pkl" and (path.is_file() or (path.is_symlink() and not path.exists()))


def _has_end(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as file:
            return file.seek(0, 2) > 0 and file.seek(-1, 2) >= 0 and file.read(1) == _STOP
    except OSError:
        return False


def _unnamed(files: dict[str, Path]) -> list[str]:
    """The forms of those files whose names do not tell what they hold."""
    return [name for name in files if name not in MODALITIES]


def _form(path: Path) -> str:
    """A file's name with what is its sequence's own replaced by what that is."""
    key = SequenceKey(*path.parts[-4:-1])
    own = {value: f"<{name}>" for name, value in key._asdict().items()}
    longest_first = "|".join(map(re.escape, sorted(own, key=len, reverse=True)))
    return re.sub(longest_first, lambda found: own[found[0]], path.stem) + path.suffix
