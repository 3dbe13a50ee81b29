"""Turns the folders inside archives into rows of the catalogue."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from gait.errors import DataError
from gait.prepare.archives import SEPARATOR, open_archive
from gait.prepare.rows import read_rows
from gait.prepare.tree import MISPLACED, ArchiveFile, File, Scan, fingerprint
from gait.types import CatalogueRow

Known = Mapping[str, list[CatalogueRow]]


def known_rows(catalogue: Path | None) -> Known:
    """The rows of archives in a table made earlier, by archive; none if there is no such table."""
    rows: dict[str, list[CatalogueRow]] = defaultdict(list)
    if catalogue is None or not catalogue.is_file():
        return rows
    try:
        listed = read_rows(catalogue)
    except DataError:
        # It is about to be written anew; this is only the way to do it faster.
        return rows
    for row in listed:
        if row.kind == "archive":
            rows[row.source.partition(SEPARATOR)[0]].append(row)
    return rows


def completed(scan: Scan, raw: Path, known: Known) -> Scan:
    """The scan with the sequences of its archives; unchanged ones are taken from `known`.

    What is damaged is listed as far as it goes, and counted.
    """
    rows = list(scan.rows)
    ignored = Counter(scan.ignored)
    frames: dict[str, int] = {}
    for archive in scan.archives:
        before = known.get(archive.path, [])
        if before and all(_is_same(row, archive) for row in before):
            rows += before
        else:
            rows += _listed(raw, archive, ignored, frames)
    return Scan(rows, dict(ignored), frames=frames)


def _listed(
    raw: Path, archive: ArchiveFile, ignored: Counter[str], numbers: dict[str, int]
) -> list[CatalogueRow]:
    rows = []
    with open_archive(raw / archive.path) as members:
        if members.problem:
            ignored[f"archive {archive.path}, damaged ({members.problem}), its end"] += 1
        ignored.update(members.ignored)
        for folder, frames in members.folders.items():
            if key := archive.key_of(folder):
                source = f"{archive.path}{SEPARATOR}{folder}"
                rows.append(CatalogueRow(key, "archive", source, "", _digest(archive, folder)))
                numbers[source] = frames
            elif frames:
                ignored[MISPLACED] += frames
    return rows


def _is_same(row: CatalogueRow, archive: ArchiveFile) -> bool:
    folder = row.source.partition(SEPARATOR)[2]
    return row.key == archive.key_of(folder) and row.fingerprint == _digest(archive, folder)


def _digest(archive: ArchiveFile, folder: str) -> str:
    # Name, size and time of the archive stand for every member: it is one file on disk. So the
    # digest is known without listing it.
    return fingerprint([archive.file, File(folder, 0, 0)])
