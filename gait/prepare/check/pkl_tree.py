"""Looks at a pkl tree: names and sizes of all files, a few of them read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gait.config.dataset import Dataset
from gait.errors import DataError
from gait.prepare.adopt import OTHER, arrays_of, leaves
from gait.prepare.array_names import Pkl, named_files, patterns_of_arrays
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.check.raw import short_ones, spread
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
        files: the pkl files of each sequence, each by the name or the pattern that others share.
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
        DataError: there is no such tree, or a sequence has several files of one name.
    """
    ignored: Counter[str] = Counter()
    files: dict[SequenceKey, dict[str, Path]] = {}
    for leaf in leaves(tree, ignored):
        inside = sorted(leaf.iterdir())
        found = [path for path in inside if path.suffix == ".pkl"]
        if len(inside) > len(found):
            ignored["files that are no pkl"] += len(inside) - len(found)
        if found:
            files[SequenceKey(*leaf.parts[-3:])] = _forms(leaf, found, pkl)
        else:
            ignored["sequence folders without a pkl"] += 1
    return PklTree(files, ignored)


def look_at(tree: PklTree, definition: Dataset) -> Iterator[Finding]:
    """Files that are damaged, missing beside others, suspiciously short, or of no use."""
    torn = [path for files in tree.files.values() for path in files.values() if not _has_end(path)]
    if torn:
        fix = "copy them again, or delete them; a tree with such a file is not taken over"
        yield Finding(Severity.error, "pkl files cut short", len(torn), such_as(torn), fix)
    damaged = set(torn)
    modalities: dict[str, str] = {}
    frame_bytes: dict[str, int] = {}
    ignored = Counter(tree.ignored)
    keys = list(tree.files)
    for index in spread(len(keys), _SAMPLE):
        files = tree.files[keys[index]]
        if damaged.intersection(files.values()):
            continue
        forms = {path: form for form, path in files.items()}
        try:
            for modality, path, frames in arrays_of(_leaf(files), definition.pkl, Counter()):
                modalities[forms[path]] = modality
                # Of ragged frames, a file's size does not tell how many there are.
                frame_bytes[forms[path]] = 0 if isinstance(frames, Ragged) else frames[0].nbytes
        except DataError as error:
            what, _, fix = str(error).partition("; ")
            fix = fix or "copy it again, or take its sequence away"
            yield Finding(Severity.error, "sequences cannot be taken over", 0, what, fix)
            return
    yield from _missing(tree, modalities)
    for form in sorted(modalities):
        if frame_bytes[form] > _OVERHEAD_BYTES:
            sizes = (
                (str(files[form]), files[form].stat().st_size // frame_bytes[form])
                for files in tree.files.values()
                if form in files and files[form] not in damaged
            )
            yield from short_ones(sizes)
    if modalities:
        for files in tree.files.values():
            ignored[OTHER] += len(files.keys() - modalities.keys())
        if absent := [
            each for each in definition.whole.modalities if each not in modalities.values()
        ]:
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


def _missing(tree: PklTree, modalities: dict[str, str]) -> Iterator[Finding]:
    lacking: dict[str, list[SequenceKey]] = defaultdict(list)
    for key, files in tree.files.items():
        for form in modalities.keys() - files.keys():
            lacking[form].append(key)
    for form, keys in sorted(lacking.items()):
        yield Finding(
            Severity.error,
            f"sequences without {modalities[form]} ({form}), which others have",
            len(keys),
            such_as(keys),
            "give it to every sequence or to none: add these files, or move the others away",
        )


def _has_end(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as file:
            return file.seek(0, 2) > 0 and file.seek(-1, 2) >= 0 and file.read(1) == _STOP
    except OSError:
        return False


def _forms(leaf: Path, files: list[Path], pkl: Pkl) -> dict[str, Path]:
    """The files by what they are called in every sequence."""
    named = named_files(leaf, [path.name for path in files], pkl)
    patterns = patterns_of_arrays(pkl)
    forms = {
        name: patterns[each].replace("{", "<").replace("}", ">")
        for each, name in named.items()
        if each in patterns
    }
    return {
        forms.get(path.name, path.name.replace(leaf.name, "<view>", 1)): path for path in files
    }


def _leaf(files: dict[str, Path]) -> Path:
    return next(iter(files.values())).parent
