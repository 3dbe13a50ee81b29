"""Scans a raw tree for its sequences; no file is moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gait import registry
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import Source
from gait.prepare.catalogue import nothing_found
from gait.prepare.catalogue.archived_companions import ArchivedFolders
from gait.prepare.catalogue.archived_rows import completed
from gait.prepare.catalogue.companions import CompanionFinder, with_companions
from gait.prepare.catalogue.layout import ArchiveFile, Layout, Scan
from gait.prepare.catalogue.pkl_names import any_name, places_of_arrays
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.types import SequenceKey


@dataclass(frozen=True, slots=True)
class Sequences:
    """A raw tree as its layout sees it.

    Attributes:
        layout: the layout's name.
        rows: the sequences, sorted by key, each once.
        ignored: how many files, folders and archive members were not used, by reason.
        frames: number of frames by a row's source, of archives that were listed.
    """

    layout: str
    rows: list[CatalogueRow]
    ignored: dict[str, int]
    frames: dict[Source, int] = field(default_factory=dict)

    def __str__(self) -> str:
        subjects = len({row.key.subject for row in self.rows})
        lines = [f"{len(self.rows)} sequences of {subjects} subjects ({self.layout})"]
        lines += [f"not used: {reason}: {number}" for reason, number in self.ignored.items()]
        return "\n".join(lines)


def scan(raw: Path, form: RawForm, root: Path | None = None) -> Sequences:
    """Find the sequences below `raw` with the one of the dataset's layouts that finds any.

    Where one finds silhouettes and another poses, one file per frame, the sequences are those of
    the silhouettes, and the poses are their companion files.

    Args:
        raw: the dataset's raw folder, only read.
        form: what the dataset says of it.
        root: the dataset's folder, where the archive index is kept, as listing archives takes
            long; without it, each is listed anew.

    Raises:
        DataError: the folder is missing, holds no sequence in any of the layouts, holds sequences
            in two that cannot be paired, or holds a sequence twice; or the password of an archive
            is missing or wrong.
        ConfigError: no layout has one of the names.
    """
    known: dict[str, Layout] = {
        registry.canonical("layout", name): registry.build("layout", {"name": name})
        for name in form.layouts
    }
    if not known:
        raise DataError(nothing_found.only_pkl(raw, form.obtain))
    if not raw.is_dir():
        got = "expected a folder, got a file" if raw.exists() else "there is no such folder"
        raise DataError(f"{raw}: {got}; {nothing_found.wanted(known, form.obtain)}")
    index = _index(raw, form, root)
    scans = {name: completed(layout.scan(raw), index) for name, layout in known.items()}
    found = {name: each for name, each in scans.items() if each.rows}
    if not found:
        reasons = {name: each.unused.counts() for name, each in scans.items()}
        raise DataError(nothing_found.message(raw, known, reasons, form.obtain, index))
    name, only, poses = _one_form(raw, found)
    rows = sorted(only.rows, key=lambda row: row.key)
    _refuse_duplicates(raw, rows)
    folders: dict[SequenceKey, str] = {}
    further: list[ArchiveFile] = []
    if poses is not None:
        _refuse_duplicates(raw, poses.rows)
        folders = {row.key: row.source.unpacked for row in poses.rows}
        further = poses.archives
    archived = ArchivedFolders(raw, index)
    archived.look_through(only.archives, further, form.files.values(), only.unused)
    finder = CompanionFinder(raw, rows, archived, only.unused, folders)
    rows = with_companions(raw, rows, form, finder)
    return Sequences(name, rows, only.unused.counts(), only.frames)


def _index(raw: Path, form: RawForm, root: Path | None) -> ArchiveIndex:
    """The archive index, with the names of companion files that are to be counted."""
    arrays = {} if form.pkl is None else places_of_arrays(form.pkl)
    places = [*form.files.values(), *arrays.values()]
    return ArchiveIndex(raw, root, {any_name(each.rpartition("/")[2]) for each in places})


def _one_form(raw: Path, found: Mapping[str, Scan]) -> tuple[str, Scan, Scan | None]:
    """Return the form that a raw tree has: its name, its scan, and that of its poses, if any.

    Raises:
        DataError: it has two forms that cannot be paired.
    """
    # Silhouettes first.
    listed = sorted(found.items(), key=lambda each: each[1].rows[0].kind.has_only_companions)
    if len(listed) == 1:
        ((name, only),) = listed
        return name, only, None
    if len(listed) == 2:
        (name, first), (other_name, other) = listed
        if _accompanies(other, first):
            return f"{name} and {other_name}", first, other
    forms = " and ".join(
        f"{len(each.rows)} sequences of {name} (such as {min(map(str, _sources(each)))})"
        for name, each in listed
    )
    raise DataError(
        f"{raw}: holds {forms}, expected one form of the dataset; move the other one out of "
        "that folder, or take its name from 'layouts' in the dataset.yaml"
    )


def _sources(found: Scan) -> list[Source]:
    return [row.source for row in found.rows]


def _accompanies(other: Scan, first: Scan) -> bool:
    """Tell whether one scan found poses, one file per frame, for silhouettes of the other."""
    return all(row.kind.has_silhouettes for row in first.rows) and all(
        row.kind is RowKind.POSES for row in other.rows
    )


def _refuse_duplicates(raw: Path, rows: list[CatalogueRow]) -> None:
    sources: dict[SequenceKey, Source] = {}
    twice = []
    for row in rows:
        if row.key in sources:
            twice.append(f"{row.key} in {sources[row.key]} and in {row.source}")
        sources[row.key] = row.source
    if twice:
        more = f" (and {len(twice) - 1} more such pairs)" if len(twice) > 1 else ""
        raise DataError(
            f"{raw}: expected each sequence once, got {twice[0]}{more}; move one of them out of "
            "that folder"
        )
