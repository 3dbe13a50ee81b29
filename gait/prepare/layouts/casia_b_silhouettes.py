"""CASIA-B as silhouettes, `GaitDatasetB-silh`: unpacked, or one archive a subject as it comes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

from gait.prepare.archives import SEPARATOR
from gait.prepare.layouts._folders import folder_row, some_have_frames
from gait.prepare.tree import (
    MISPLACED,
    ArchiveFile,
    Scan,
    is_frame,
    not_looked_for,
    state_of,
    walk,
)
from gait.types import CatalogueRow, SequenceKey

_FOLDER = re.compile(r"(?:.*/)?(\d{3})/((?:nm|bg|cl)-\d{2})/(\d{3})", re.ASCII | re.DOTALL)
_ARCHIVE = re.compile(r"\d{3}\.(?i:tar\.gz|tgz|tar|zip)", re.ASCII)


class CasiaBSilhouettes:
    """Folders `<subject>/<nm|bg|cl>-<number>/<view>/`, on disk or in `<subject>.tar.gz`."""

    looked_for: ClassVar[str] = (
        "folders like 001/nm-01/090/ of png images, or archives of them named 001.tar.gz, .tgz, "
        ".tar or .zip"
    )

    def scan(self, raw: Path) -> Scan:
        """One row a folder; archives are left to be listed."""
        ignored: Counter[str] = Counter()
        rows: list[CatalogueRow] = []
        archives: list[ArchiveFile] = []
        for folder in walk(raw, ignored):
            if key := _key_of("/".join(folder.parts)):
                if row := folder_row(folder, key, ignored):
                    rows.append(row)
                continue
            for file in folder.files:
                path = folder.path_of(file.name)
                if _ARCHIVE.fullmatch(file.name) and SEPARATOR not in path:
                    archives.append(ArchiveFile(path, state_of(file), _key_of))
                elif is_frame(file.name):
                    ignored[MISPLACED] += 1
                else:
                    ignored[not_looked_for(file.name)] += 1
        return Scan(some_have_frames(rows, ignored), dict(ignored), archives)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2], found[3]) if found else None
