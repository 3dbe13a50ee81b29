"""Scoliosis1K as silhouettes: `Scoliosis1K-sil-raw.zip` as it comes, or unpacked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(
    r"(?:.*/)?(\d{5})/((?i:positive|neutral|negative))/(\d{3}_\d{3})", re.ASCII | re.DOTALL
)
_ARCHIVE = re.compile(r"(?:.*/)?Scoliosis1K-sil-raw\.(?i:zip)", re.DOTALL)


class Scoliosis1kSilhouettes:
    """Folders `<subject>/<class>/<view>/`, whatever is above them.

    The condition is the class in small letters, which the owners write in either way.
    """

    looked_for: ClassVar[str] = (
        "Scoliosis1K-sil-raw.zip, or folders like 00000/Positive/000_180/ of png images"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE)


def key_of(folder: str) -> SequenceKey | None:
    """The sequence of a folder, of silhouettes or of poses."""
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2].lower(), found[3]) if found else None


def _key_of(folder: str) -> SequenceKey | None:
    return None if "Scoliosis1K-pose-raw" in folder.split("/") else key_of(folder)
