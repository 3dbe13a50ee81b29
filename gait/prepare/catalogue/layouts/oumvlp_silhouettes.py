"""OU-MVLP as silhouettes: `Silhouette_<view>-<sequence>.7z` as they come, or unpacked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(r"(?:.*/)?Silhouette_(\d{3})-(\d{2})/(\d{5})", re.ASCII | re.DOTALL)
_ARCHIVE = re.compile(r"(?:.*/)?Silhouette_\d{3}-\d{2}\.(?i:7z|zip|tar)", re.ASCII | re.DOTALL)


class OumvlpSilhouettes:
    """Folders `Silhouette_<view>-<sequence>/<subject>/`, on disk or in an archive of that name."""

    looked_for: ClassVar[str] = (
        "archives named like Silhouette_000-00.7z with their password in password.txt, or folders "
        "like Silhouette_000-00/00001/ of png images"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[3], found[2], found[1]) if found else None
