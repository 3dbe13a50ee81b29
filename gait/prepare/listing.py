"""Turns the folders inside archives into rows of the catalogue, listing each archive once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

from gait.errors import DataError
from gait.files import write_if_changed
from gait.prepare.archives import SEPARATOR, Contents, contents_of, unpacked_path
from gait.prepare.tree import MISPLACED, ArchiveFile, File, Scan, fingerprint
from gait.types import CatalogueRow

# Raised when the same archive would be listed otherwise than before.
_VERSION = 1


class Listings:
    """What archives hold, remembered from run to run, as listing one may take long.

    Without what is remembered everything is listed anew, with the same outcome.

    Args:
        raw: the dataset's raw folder.
        root: the dataset's folder, which gets `journal/archives/`; None to remember nothing.
    """

    def __init__(self, raw: Path, root: Path | None) -> None:
        self._raw = raw
        self._folder = None if root is None else root / "journal" / "archives"

    def of(self, archive: str) -> Contents:
        """What the archive of this path below the raw folder holds, as it lies there now.

        Raises:
            DataError: as `contents_of`.
        """
        path = self._raw / archive
        if self._folder is None:
            return contents_of(path)
        digest = hashlib.sha256(archive.encode()).hexdigest()[:16]
        journal = self._folder / f"{digest}.json"
        try:
            status = path.stat()
        except OSError:
            # It says why not when it is opened.
            return contents_of(path)
        state = [_VERSION, archive, status.st_size, status.st_mtime_ns]
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(journal.read_text(encoding="utf-8"))
            if known["state"] == state:
                return Contents(
                    Counter(known["folders"]),
                    known["problems"],
                    set(known["unfinished"]),
                    Counter(known["ignored"]),
                )
        contents = contents_of(path)
        entry = {
            "state": state,
            "folders": contents.folders,
            "problems": contents.problems,
            "unfinished": sorted(contents.unfinished),
            "ignored": contents.ignored,
        }
        # On a disk that cannot be written, the next run takes its time again.
        with suppress(DataError):
            write_if_changed(journal, json.dumps(entry))
        return contents


def completed(scan: Scan, listings: Listings) -> Scan:
    """The scan with the sequences of its archives; what is damaged counts as far as it goes.

    Raises:
        DataError: as `contents_of`.
    """
    rows = list(scan.rows)
    ignored = Counter(scan.ignored)
    frames: dict[str, int] = {}
    for archive in scan.archives:
        rows += _rows(archive, listings.of(archive.path), ignored, frames)
    return Scan(scan.named(rows), dict(ignored), frames=frames)


def _rows(
    archive: ArchiveFile, contents: Contents, ignored: Counter[str], numbers: dict[str, int]
) -> list[CatalogueRow]:
    rows = []
    for inside, problem in contents.problems.items():
        path = f"{archive.path}{SEPARATOR}{inside}" if inside else archive.path
        ignored[f"archive {path}, damaged ({problem}), its end"] += 1
    ignored.update(contents.ignored)
    for folder, frames in contents.folders.items():
        source = f"{archive.path}{SEPARATOR}{folder}"
        if key := archive.key_of(unpacked_path(source)):
            rows.append(CatalogueRow(key, "archive", source, "", _digest(archive, folder)))
            numbers[source] = frames
        elif frames:
            ignored[MISPLACED] += frames
    return rows


def _digest(archive: ArchiveFile, folder: str) -> str:
    # Name, size and time of the archive stand for every member: it is one file on disk.
    return fingerprint([archive.file, File(folder, 0, 0)])
