"""Finds the companion files of sequences, on disk and in archives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, Companion, RowKind
from gait.formats.source import File, Source
from gait.modalities import ARRAYS, COMPANIONS
from gait.prepare.catalogue.archived_companions import ArchivedFolders, ArchivedMatch
from gait.prepare.catalogue.layout import MISPLACED
from gait.prepare.catalogue.pkl_names import any_name, filled_name, places_of_arrays
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.raw.archives import NO_IMAGE
from gait.prepare.raw.files import fingerprint, is_frame, matching, not_looked_for, state_of
from gait.prepare.raw.unused import Unused
from gait.types import SequenceKey


class CompanionFinder:
    """Looks for companion files on disk and in archives, and claims those that it finds.

    Args:
        raw: the dataset's raw folder.
        rows: the sequences that a layout found.
        archived: the folders in archives.
        unused: what has no use so far.
        folders: what `{folder}` stands for, where that is not the folder of the row itself.
    """

    def __init__(
        self,
        raw: Path,
        rows: list[CatalogueRow],
        archived: ArchivedFolders,
        unused: Unused,
        folders: Mapping[SequenceKey, str],
    ) -> None:
        self._raw = raw
        self._rows = [row for row in rows if row.kind is not RowKind.VIDEO]
        self._archived = archived
        self._unused = unused
        self._folders = {row.key: folders.get(row.key, row.source.unpacked) for row in self._rows}
        self._found: dict[SequenceKey, dict[str, Companion]] = {row.key: {} for row in rows}

    def find(self, patterns: Mapping[str, str]) -> bool:
        """Find the files of patterns by kind; tells whether there are arrays among them.

        Raises:
            DataError: a folder cannot be listed, a path leads out of the raw folder, or files of
                one kind lie in two places.
        """
        kinds: list[str] = []
        for pattern in dict.fromkeys(patterns.values()):
            of_pattern = [kind for kind, each in patterns.items() if each == pattern]
            if self._find(pattern, of_pattern):
                kinds += of_pattern
        return any(kind.startswith(ARRAYS) for kind in kinds)

    def companions(self, row: CatalogueRow) -> tuple[Companion, ...]:
        """Return the companion files of a row, by kind in alphabetical order."""
        return tuple(each for _, each in sorted(self._found[row.key].items()))

    def _find(self, pattern: str, kinds: list[str]) -> bool:
        """Find the files of a pattern, of one kind or several; False where no row has any."""
        filled = {row.key: self._filled(pattern, row.key) for row in self._rows}
        on_disk = {key: matching(self._raw, each) for key, each in filled.items()}
        name = any_name(pattern.rpartition("/")[2])
        archived = {key: self._archived.matching(each, name) for key, each in filled.items()}
        if not any(on_disk.values()) and not any(archived.values()):
            return False
        for row in self._rows:
            entries, matches = on_disk[row.key], archived[row.key]
            if len(matches) + bool(entries) > 1:
                self._refuse_two_places(row, kinds[0], filled[row.key], matches)
            files: Source
            if matches:
                self._claim_archived(row, matches[0])
                files, digest = matches[0].files, matches[0].digest
            else:
                self._claim(row, filled[row.key], entries)
                files = File(filled[row.key])
                digest = fingerprint(map(state_of, entries))
            self._found[row.key] |= {kind: Companion(kind, files, digest) for kind in kinds}
        return True

    def _claim(self, row: CatalogueRow, pattern: str, entries: list[os.DirEntry[str]]) -> None:
        place = pattern.rpartition("/")[0]
        # Silhouettes that are companions as well were not counted.
        is_own = row.kind.has_silhouettes and File(place) == row.source
        for entry in entries:
            if not (is_own and is_frame(entry.name, row.kind)):
                is_image = is_frame(entry.name)
                self._unused.claim(place, MISPLACED if is_image else not_looked_for(entry.name))

    def _claim_archived(self, row: CatalogueRow, match: ArchivedMatch) -> None:
        place = match.folder.archive
        is_own = row.kind.has_silhouettes and match.folder == row.source
        if not (is_own and is_frame(match.files.member, row.kind)):
            self._unused.claim(place, MISPLACED, match.images)
        self._unused.claim(place, NO_IMAGE, match.others)

    def _filled(self, pattern: str, key: SequenceKey) -> str:
        """A pattern with the names and folders of a sequence in it."""
        folder, _, name = pattern.rpartition("/")
        own = self._folders[key]
        place = "/".join(own.split("/")[-len(key) :])
        path = folder.format(folder=own, place=place, **key._asdict())
        return f"{path}/{filled_name(name, key)}"

    def _refuse_two_places(
        self, row: CatalogueRow, kind: str, pattern: str, matches: list[ArchivedMatch]
    ) -> None:
        first, second, *_ = [*(str(each.files) for each in matches), pattern]
        raise DataError(
            f"{self._raw}: files of {kind} of {row.key} lie in {first} and in {second}, expected "
            "one place; move one of them out of that folder"
        )


def with_companions(
    raw: Path, rows: list[CatalogueRow], form: RawForm, finder: CompanionFinder
) -> list[CatalogueRow]:
    """Add to rows the companion files that a dataset asks for.

    A kind of which no sequence has any file is not there. Of one that is, each row has an entry:
    a sequence without a file of it lacks it in every frame. Rows of videos are left alone. Rows
    without silhouettes have nothing else, so that there has to be some kind. Where there is no
    array anywhere that `form.files` says, those in the sequences' own folders are known by
    `form.pkl`.

    Raises:
        DataError: as `CompanionFinder.find`; or two kinds give one modality, or rows without
            silhouettes have no companion files.
    """
    if not rows:
        return rows
    has_arrays = finder.find(form.files)
    if not has_arrays and form.pkl is not None and rows[0].kind is RowKind.PKL:
        finder.find(places_of_arrays(form.pkl))
    found = [replace(row, companions=finder.companions(row)) for row in rows]
    _refuse(raw, found)
    return found


def _refuse(raw: Path, rows: list[CatalogueRow]) -> None:
    """Raise for rows of which nothing could be made, or something twice."""
    made: dict[str, str] = {}
    for companion in rows[0].companions:
        for modality in COMPANIONS[companion.kind]:
            if other := made.get(modality):
                raise DataError(
                    f"{raw}: {other} and {companion.kind} both give {modality} there, expected "
                    "one of them; move the files of one out of that folder, or take it from "
                    "'files' in the dataset.yaml"
                )
            made[modality] = companion.kind
    empty = next((row for row in rows if row.kind.has_only_companions and not made), None)
    if empty:
        there = sorted(path.name for path in (raw / str(empty.source)).glob("*"))[:3]
        instead = f", only {', '.join(there)}" if there else ""
        raise DataError(
            f"{raw}: expected files of the kinds under 'files' and 'pkl' in the dataset.yaml, "
            f"found none for {empty.key} in {empty.source} nor for any other "
            f"sequence{instead}; name in that file what they are called and where they lie"
        )
