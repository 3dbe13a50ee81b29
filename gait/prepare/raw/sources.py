"""Reads what catalogue rows are made from, from folders and from archives alike."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gait.errors import DataError
from gait.files import confined
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import ArchiveMember, Source
from gait.limits import FILE_BYTES
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.prepare.raw.archives import Contents, NameFilter
from gait.prepare.raw.extraction import Extraction, MemberRequest
from gait.prepare.raw.files import frames_among, image_files, is_frame, matching
from gait.prepare.raw.frames import Frame, frames_of_files, frames_unpacked
from gait.prepare.raw.spill_buffer import LazyFiles as Unpacked
from gait.types import SequenceKey

# Path and content of each file, in the order of their names.
Files = Iterable[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Material:
    """What a sequence is made from.

    Attributes:
        row: of the catalogue.
        frames: its silhouettes, decoded one by one.
        companions: its companion files, by kind; read one by one.
    """

    row: CatalogueRow
    frames: Iterator[Frame]
    companions: dict[str, Files]


def read_images(
    raw: Path,
    rows: list[CatalogueRow],
    root: Path | None = None,
    order: Callable[[str], Any] = str,
) -> Iterator[tuple[CatalogueRow, Iterator[Frame]]]:
    """Read the silhouettes of each row, without companion files; see `read_material`."""
    given = {row.key: row for row in rows}
    for material in read_material(raw, [replace(row, companions=()) for row in rows], root, order):
        yield given[material.row.key], material.frames


def read_material(
    raw: Path,
    rows: list[CatalogueRow],
    root: Path | None = None,
    order: Callable[[str], Any] = str,
) -> Iterator[Material]:
    """What each row is made from, its frames in an order of their names; where it has no
    silhouettes, all of its files are.

    Each row comes exactly once: those of folders in the order given, then archive by archive those
    of archives, each as soon as the last of its files has passed, so that an archive is read
    through once, see `Extraction`. Companion files in another archive than the frames have been
    taken out of that one before. A sequence that an archive's early end may have robbed of frames
    ends with a frame of the problem 'archive cut short'.

    Args:
        raw: the dataset's raw folder.
        rows: rows of any kind but videos.
        root: the dataset's folder, where it is remembered what archives hold; without it, each is
            listed before it is read.
        order: by what to sort file names; `natural` or, as published, the names themselves.

    Raises:
        DataError: a row is a video, its folder or archive is gone, its path leaves `raw`, or the
            password of its archive is missing or wrong.
    """
    for row in rows:
        if not row.kind.is_folder:
            raise DataError(
                f"{row.key}: expected images or an archive of images, got {row.kind} "
                f"{row.source}; extract its silhouettes with gait segment"
            )
    places = {row.key: _places(row) for row in rows}
    names = {each.glob for several in places.values() for each in several if each.glob}
    reader = _Reader(raw, root, order, ArchiveIndex(raw, root, names))
    at_home: dict[str, dict[SequenceKey, list[_Place]]] = defaultdict(dict)
    aside: dict[str, dict[SequenceKey, list[_Place]]] = defaultdict(dict)
    for row in rows:
        home = row.source.archive if isinstance(row.source, ArchiveMember) else ""
        at_home[home][row.key] = [each for each in places[row.key] if each.archive == home]
        for each in places[row.key]:
            if each.archive != home:
                aside[each.archive].setdefault(row.key, []).append(each)
    given = {row.key: row for row in rows}
    with ExitStack() as stack:
        others = {
            archive: stack.enter_context(reader.unpacking(archive, wanted))
            for archive, wanted in aside.items()
        }
        for other in others.values():
            other.wait()
        for key in at_home.pop("", {}):
            yield reader.material(given[key], others)
        for archive, wanted in at_home.items():
            with reader.unpacking(archive, wanted) as unpacking:
                for key in unpacking.ready():
                    yield reader.material(given[key], others | {archive: unpacking})


class _Place(NamedTuple):
    """Files of a sequence in a folder of an archive.

    Attributes:
        kind: that of the companion files; empty for the silhouettes themselves.
        archive: its path below the raw folder.
        folder: as `Contents.folders` names it.
        names: which files of that folder.
        glob: the pattern of their names; empty for silhouettes.
        frames: the kind of these; None for companion files.
    """

    kind: str
    archive: str
    folder: str
    names: NameFilter
    glob: str = ""
    frames: RowKind | None = None

    def number(self, contents: Contents) -> int:
        """How many files these are, as the archive was listed."""
        if self.frames is None:
            return sum(contents.matches.get(self.folder, {}).get(self.glob, ()))
        return frames_among(contents.folders.get(self.folder, {}), self.frames)


def _places(row: CatalogueRow) -> list[_Place]:
    """What of a sequence lies in archives."""
    places = []
    if isinstance(row.source, ArchiveMember) and row.kind.has_silhouettes:
        names = partial(is_frame, kind=row.kind)
        places.append(_Place("", row.source.archive, row.source.member, names, frames=row.kind))
    for each in row.companions:
        if isinstance(each.files, ArchiveMember):
            folder, _, glob = each.files.member.rpartition("/")
            names = partial(_fits, glob)
            places.append(_Place(each.kind, each.files.archive, folder, names, glob))
    return places


def _fits(glob: str, name: str) -> bool:
    return fnmatchcase(name, glob)


class _Reader:
    """Makes the material of sequences.

    Args:
        raw: the dataset's raw folder.
        root: the dataset's folder.
        order: by what to sort the names of frames.
        index: tells what archives hold.
    """

    def __init__(
        self, raw: Path, root: Path | None, order: Callable[[str], Any], index: ArchiveIndex
    ) -> None:
        self._raw = raw
        self._root = root
        self._order = order
        self._contents = index.of

    def unpacking(self, archive: str, places: dict[SequenceKey, list[_Place]]) -> Extraction:
        """An archive, for what of sequences lies in it."""
        path = _existing(self._raw, archive)
        contents = self._contents(archive)
        wishes = {
            key: [
                MemberRequest(each.kind, each.folder, each.names, each.number(contents))
                for each in some
            ]
            for key, some in places.items()
        }
        return Extraction(path, wishes, self._root, contents)

    def material(self, row: CatalogueRow, archives: dict[str, Extraction]) -> Material:
        """What a sequence is made from, once the archives have all of it."""
        taken: dict[str, Unpacked] = {}
        for unpacking in archives.values():
            taken |= unpacking.take(row.key)
        # With silhouettes, the order is theirs, or that of clouds, whose names are times.
        order = self._order if row.kind.has_only_companions else str
        companions: dict[str, Files] = {}
        for each in row.companions:
            if isinstance(each.files, ArchiveMember):
                above = str(each.files).rpartition("/")[0]
                files = taken.get(each.kind, Unpacked({}))
                companions[each.kind] = _read(above, files, order)
            else:
                found = matching(self._raw, each.files.path)
                entries = sorted(found, key=lambda entry: order(entry.name))
                companions[each.kind] = ((entry.path, _content(entry.path)) for entry in entries)
        if row.kind.has_only_companions:
            return Material(row, iter(()), companions)
        if isinstance(row.source, ArchiveMember):
            is_complete = row.key not in archives[row.source.archive].incomplete
            return Material(row, self._unpacked(row, taken[""], is_complete), companions)
        images = image_files(self._raw, _existing(self._raw, row.source), row.kind)
        return Material(row, frames_of_files(images, self._order), companions)

    def _unpacked(self, row: CatalogueRow, files: Unpacked, is_complete: bool) -> Iterator[Frame]:
        """The frames of a sequence in an archive."""
        (place, *_) = _places(row)
        contents = self._contents(place.archive)
        if place.folder not in contents.folders and not contents.problems:
            raise DataError(
                f"{self._raw / place.archive}: has no folder {place.folder} any more; run gait "
                "rearrange again"
            )
        number = place.number(contents)
        is_cut = (
            place.folder in contents.unfinished
            or (not is_complete and len(files) < number)
            or (not number and bool(contents.problems))
        )
        return frames_unpacked(files, is_cut, self._order)


def _existing(raw: Path, source: Source | str) -> Path:
    path = confined(raw, str(source))
    if not path.exists():
        raise DataError(
            f"{path}: is in the catalogue and not on disk any more; put it back, or run gait "
            "rearrange again"
        )
    return path


def _read(above: str, files: Unpacked, order: Callable[[str], Any]) -> Files:
    """Files out of an archive, one by one."""
    for name in sorted(files, key=order):
        data, _ = files[name]
        yield f"{above}/{name}", data


def _content(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            FILE_BYTES.check(size, path, "a file")
            return file.read(size)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); make the file readable"
        ) from None
