"""CASIA-B as silhouettes, `GaitDatasetB-silh`: unpacked, or as its archives come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(r"(?:.*/)?(\d{3})/((?:nm|bg|cl)-\d{2})/(\d{3})", re.ASCII | re.DOTALL)
_ARCHIVE = re.compile(
    r"(?:.*/)?(?:\d{3}\.(?i:tar\.gz|tgz|tar|zip)|GaitDatasetB-silh\.zip)", re.ASCII | re.DOTALL
)


class CasiaBSilhouettes:
    """Folders `<subject>/<nm|bg|cl>-<number>/<view>/`: on disk, in `<subject>.tar.gz`, or in the
    zip file of those."""

    looked_for: ClassVar[str] = (
        "folders like 001/nm-01/090/ of png images, archives of them named 001.tar.gz, .tgz, "
        ".tar or .zip, or GaitDatasetB-silh.zip"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2], found[3]) if found else None
