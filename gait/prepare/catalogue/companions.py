"""Finds files of further modalities that lie beside a sequence's silhouettes, or without any.

A catalogue's column `beside` names them, as JSON: by kind, the pattern of their paths below the
raw folder, and a digest of what matches it. A pattern's last part may hold `*`. Where they lie in
an archive, the pattern is `<archive>::<path inside>`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path

from gait.errors import DataError
from gait.files import confined
from gait.modalities import ARRAYS, BESIDE
from gait.prepare.catalogue.archived_companions import Found, Inside
from gait.prepare.catalogue.pkl_names import Pkl, any_name, filled_name, places_of_arrays
from gait.prepare.raw.archives import NO_IMAGE, unpacked_path
from gait.prepare.raw.tree import (
    MISPLACED,
    WITHOUT_SILHOUETTES,
    fingerprint,
    is_frame,
    is_system,
    not_looked_for,
    state_of,
)
from gait.types import CatalogueRow, SequenceKey


def with_files_beside(
    raw: Path,
    rows: list[CatalogueRow],
    ignored: Mapping[str, int],
    patterns: Mapping[str, str],
    inside: Inside,
    folders: Mapping[SequenceKey, str],
    pkl: Pkl | None = None,
) -> tuple[list[CatalogueRow], dict[str, int]]:
    """The rows with what lies beside their silhouettes, and what is still not used.

    A kind of which no sequence has any file is not there. Of one that is, each row has an entry:
    a sequence without a file of it lacks it in every frame. Rows of videos are left alone. Rows
    without silhouettes have nothing else, so that there has to be some kind. Where there is no
    array anywhere that `patterns` says, those in the sequences' own folders are known by `pkl`.

    Args:
        raw: the dataset's raw folder.
        rows: the sequences that a layout found.
        ignored: how many files that layout did not use, by reason.
        patterns: where the files of each kind lie, as in a dataset.yaml.
        inside: those that lie in archives.
        folders: what `{folder}` stands for, where that is not the folder of the row itself.
        pkl: which pkl files hold what, as there.

    Raises:
        DataError: a folder cannot be listed, a path leads out of the raw folder, files of one kind
            lie in two places, two kinds give one modality, or rows without silhouettes have
            nothing beside them.
    """
    left = Counter(dict(ignored))
    left.update(inside.counted)
    images = [row for row in rows if row.kind != "video"]
    own = {row.key: row.source for row in images}
    found: dict[SequenceKey, dict[str, tuple[str, str]]] = {row.key: {} for row in rows}

    def look(places: Mapping[str, str]) -> bool:
        """Take what lies in these places; tells whether there are any arrays."""
        taken: list[str] = []
        for pattern in dict.fromkeys(places.values()):
            kinds = [kind for kind, each in places.items() if each == pattern]
            filled = {key: _filled(pattern, key, folders.get(key, own[key])) for key in own}
            name = any_name(pattern.rpartition("/")[2])
            packed = {key: inside.matching(each, name) for key, each in filled.items()}
            if _take(raw, images, kinds, filled, packed, found, left):
                taken += kinds
        return any(kind.startswith(ARRAYS) for kind in taken)

    if not look(patterns) and pkl is not None and rows and rows[0].kind == "pkl":
        look(places_of_arrays(pkl))
    if rows:
        _refuse(raw, rows, found)
    return [replace(row, beside=_text(found[row.key])) for row in rows], dict(+left)


def _take(
    raw: Path,
    rows: list[CatalogueRow],
    kinds: list[str],
    filled: dict[SequenceKey, str],
    packed: dict[SequenceKey, list[Found]],
    found: dict[SequenceKey, dict[str, tuple[str, str]]],
    left: Counter[str],
) -> bool:
    """Move files, of one kind or several, from what is left to what was found; False if none."""
    files = {key: matching(raw, each) for key, each in filled.items()}
    if not any(files.values()) and not any(packed.values()):
        return False
    for row in rows:
        entries, places = files[row.key], packed[row.key]
        if len(places) + bool(entries) > 1:
            _refuse_two_places(raw, row, kinds[0], filled[row.key], places)
        # The layout did not know what they are for, unless they are its frames themselves.
        is_silhouette = row.kind not in WITHOUT_SILHOUETTES
        if places:
            listed = (places[0].pattern, places[0].digest)
            is_own = is_silhouette and places[0].source == row.source
            if not (is_own and is_frame(filled[row.key], row.kind)):
                left[MISPLACED] -= places[0].images
            left[NO_IMAGE] -= places[0].others
        else:
            listed = (filled[row.key], fingerprint(map(state_of, entries)))
            is_own = is_silhouette and filled[row.key].rpartition("/")[0] == row.source
            left.subtract(
                MISPLACED if is_frame(each.name) else not_looked_for(each.name)
                for each in entries
                if not (is_own and is_frame(each.name, row.kind))
            )
        found[row.key] |= dict.fromkeys(kinds, listed)
    return True


def _refuse_two_places(
    raw: Path, row: CatalogueRow, kind: str, pattern: str, places: list[Found]
) -> None:
    first, second, *_ = [*(each.pattern for each in places), pattern]
    raise DataError(
        f"{raw}: files of {kind} of {row.key} lie in {first} and in {second}, expected one place; "
        "move one of them out of that folder"
    )


def _refuse(
    raw: Path, rows: list[CatalogueRow], found: dict[SequenceKey, dict[str, tuple[str, str]]]
) -> None:
    """Raise for rows of which nothing could be made, or something twice."""
    made: dict[str, str] = {}
    for kind in found[rows[0].key]:
        for modality in BESIDE[kind]:
            if other := made.get(modality):
                raise DataError(
                    f"{raw}: {other} and {kind} both give {modality} there, expected one of them; "
                    "move the files of one out of that folder, or take it from 'beside' in the "
                    "dataset.yaml"
                )
            made[modality] = kind
    empty = next((row for row in rows if row.kind in WITHOUT_SILHOUETTES and not made), None)
    if empty:
        there = sorted(path.name for path in (raw / empty.source).glob("*"))[:3]
        instead = f", only {', '.join(there)}" if there else ""
        raise DataError(
            f"{raw}: expected files of the kinds under 'beside' and 'pkl' in the dataset.yaml, "
            f"found none for {empty.key} in {empty.source} nor for any other "
            f"sequence{instead}; name in that file what they are called and where they lie"
        )


def patterns_of(row: CatalogueRow) -> dict[str, str]:
    """Where the files of each kind lie beside a row's silhouettes, by kind.

    Raises:
        DataError: the row's column is malformed.
    """
    if not row.beside:
        return {}
    try:
        listed = {kind: pattern for kind, (pattern, _) in json.loads(row.beside).items()}
    except (ValueError, TypeError, AttributeError):
        listed = {}
    is_sound = all(kind in BESIDE and isinstance(each, str) for kind, each in listed.items())
    if not listed or not is_sound:
        raise DataError(
            f"sequence {row.key}: expected files of further modalities as JSON, got "
            f"{row.beside!r}; run gait rearrange again"
        )
    return listed


def with_kinds(row: CatalogueRow, kinds: Collection[str]) -> CatalogueRow:
    """The row with no other kinds of files beside it than these."""
    listed = patterns_of(row).keys() & kinds
    text = _text({kind: each for kind, each in json.loads(row.beside).items() if kind in listed})
    return replace(row, beside=text)


def _text(beside: dict[str, tuple[str, str]]) -> str:
    return json.dumps(beside, sort_keys=True) if beside else ""


def _filled(pattern: str, key: SequenceKey, own: str) -> str:
    folder, _, name = pattern.rpartition("/")
    own = unpacked_path(own)
    place = "/".join(own.split("/")[-len(key) :])
    path = folder.format(folder=own, place=place, **key._asdict())
    return f"{path}/{filled_name(name, key)}"


def matching(raw: Path, pattern: str) -> list[os.DirEntry[str]]:
    """The files of a pattern without fields, sorted by name; none where there is no such folder.

    Raises:
        DataError: the folder cannot be listed, or a path leads out of the raw folder.
    """
    folder, _, name = pattern.rpartition("/")
    path = confined(raw, folder)
    try:
        with os.scandir(path) as entries:
            found = [each for each in entries if fnmatchcase(each.name, name) and each.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(
            f"{path}: cannot be listed ({error.strerror}); make the folder readable"
        ) from None
    for entry in found:
        if entry.is_symlink():
            confined(raw, f"{folder}/{entry.name}")
    return sorted((each for each in found if not is_system(each.name)), key=attrgetter("name"))
