"""Gait3D as silhouettes: the folder `2D_Silhouettes`, or an archive of it or of all folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

# Other folders of the dataset hold images, too, in folders of the same names.
_FOLDER = re.compile(
    r"(?!(?:.*/)?(?:2D_Parsings|2D_Poses|3D_SMPLs)/)(?:.*/)?"
    r"(\d{4})/(camid\d+_videoid\d+)/(seq\d+)",
    re.ASCII | re.DOTALL,
)
_ARCHIVE = re.compile(r"(?:.*/)?(?:2D_Silhouettes|Gait3D)\.(?i:zip|7z|tar|tar\.gz|tgz)", re.DOTALL)


class Gait3dSilhouettes:
    """Folders `<subject>/camid<c>_videoid<v>/seq<s>/`, whatever is above them but the folders of
    other modalities."""

    looked_for: ClassVar[str] = (
        "folders like 2D_Silhouettes/0000/camid0_videoid2/seq0/ of png images, or an archive of "
        "them named 2D_Silhouettes.zip, or Gait3D.zip, or .7z, .tar, .tar.gz, .tgz"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2], found[3]) if found else None
