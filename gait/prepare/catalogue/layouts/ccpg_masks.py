"""CCPG as it is given out: silhouettes and colour frames in one folder per sequence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_ARCHIVE = re.compile(r"(?:.*/)?CCPG[\w.-]*\.(?i:zip|7z|tar|tar\.gz|tgz)", re.ASCII | re.DOTALL)
_FOLDER = re.compile(r"(?:.*/)?(\d{3})/(U\d_D\d(?:_BG)?)/([^/]+)", re.ASCII | re.DOTALL)


class CcpgMasks:
    """Folders `<subject>/<clothes>/<view>/`, whatever is above them.

    The png files in them are the silhouettes. Any other image is the colour frame of the
    silhouette with the same stem, and never taken for a silhouette itself: a folder without a
    single png file is no sequence, and its images are counted as not used. A folder of png files
    alone is a sequence without colours.
    """

    looked_for: ClassVar[str] = (
        "folders like 001/U0_D0_BG/<view>/ of silhouettes (png) and of colour frames (jpg) named "
        "like them, or an archive of these named like CCPG.zip, .7z, .tar, .tar.gz or .tgz"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE, kind=RowKind.MASKS)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2], found[3]) if found else None
