"""SUSTech1K as aligned silhouettes: its raw tree, or the archive of it as it comes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

# A sequence has a folder for each modality, and those of several hold images.
_FOLDER = re.compile(
    r"(?:.*/)?(\d{4})/(\d{2}-[\w-]+)/(\d{3}[\w-]*)/Sils_aligned", re.ASCII | re.DOTALL
)
# Its owners spell the name with a k.
_ARCHIVE = re.compile(r"(?:.*/)?SUSTe(?:ck|ch)1K-RAW\.(?i:zip)", re.DOTALL)


class Sustech1kSilhouettes:
    """Folders `<subject>/<condition>/<view>/Sils_aligned/`, whatever is above them.

    A view may have a suffix, as in `000-far`.
    """

    looked_for: ClassVar[str] = (
        "SUSTeck1K-RAW.zip, or folders like 0000/00-nm/000/Sils_aligned/ of png images"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2], found[3]) if found else None
