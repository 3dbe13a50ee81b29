"""Turns the folders inside archives into rows of the catalogue."""

from __future__ import annotations

from dataclasses import replace

from gait.formats.catalogue import IMAGES, CatalogueRow
from gait.formats.source import ArchiveMember, Source, nested_name
from gait.prepare.catalogue.layout import MISPLACED, NO_SILHOUETTES, ArchiveFile, Scan
from gait.prepare.raw.archive_index import ArchiveIndex
from gait.prepare.raw.archives import Contents
from gait.prepare.raw.files import FileState, fingerprint, frames_among
from gait.prepare.raw.unused import Unused


def completed(scan: Scan, index: ArchiveIndex) -> Scan:
    """The scan with the sequences of its archives; what is damaged counts as far as it goes.

    Raises:
        DataError: as `contents_of`.
    """
    rows = list(scan.rows)
    frames: dict[Source, int] = {}
    for archive in scan.archives:
        rows += _rows(archive, index.of(archive.path), scan.unused, frames)
    return replace(scan, rows=scan.named(rows), frames=frames)


def count_damage(archive: str, contents: Contents, unused: Unused) -> None:
    """Count what of an archive cannot be used, whatever it holds."""
    for inside, problem in contents.problems.items():
        path = nested_name(archive, inside) if inside else archive
        unused.add(archive, f"archive {path}, damaged ({problem}), its end")
    unused.update(archive, contents.ignored)


def member_digest(archive: FileState, *what: str) -> str:
    """Changes when the archive does, or what of it is meant.

    Name, size and time of the archive stand for every member: it is one file on disk.
    """
    return fingerprint([archive, *(FileState(each, 0, 0) for each in what)])


def _rows(
    archive: ArchiveFile, contents: Contents, unused: Unused, numbers: dict[Source, int]
) -> list[CatalogueRow]:
    rows = []
    count_damage(archive.path, contents, unused)
    for folder, files in contents.folders.items():
        source = ArchiveMember(archive.path, folder)
        key = archive.key_of(source.unpacked)
        frames = frames_among(files, archive.kind) if key else 0
        images = sum(files[suffix] for suffix in IMAGES)
        # As on disk, a folder with nothing in it is a sequence without frames.
        if key and (frames or not files.total()):
            digest = member_digest(archive.file, folder)
            rows.append(CatalogueRow(key, archive.kind, source, fingerprint=digest))
            numbers[source] = frames
        others = images - (frames if archive.kind.has_silhouettes else 0)
        if others:
            reason = NO_SILHOUETTES if key and not frames else MISPLACED
            unused.add(archive.path, reason, others)
    return rows
