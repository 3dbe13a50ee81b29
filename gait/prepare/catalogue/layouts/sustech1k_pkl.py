"""SUSTech1K as pkl files of every modality: the tree, or the archive of it as it comes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(r"(?:.*/)?(\d{4})/(\d{2}-[\w-]+)/(\d{3}[\w-]*)", re.ASCII | re.DOTALL)
# Its owners spell the name with a k in the one of the raw files, which is not meant here.
_ARCHIVE = re.compile(
    r"(?:.*/)?SUSTe(?:ck|ch)1K(?!-RAW\.)[^/]*\.(?i:zip|tar|tar\.gz|tgz|7z)", re.ASCII | re.DOTALL
)


class Sustech1kPkl:
    """Folders `<subject>/<condition>/<view>/` of pkl files, whatever is above them."""

    looked_for: ClassVar[str] = (
        "an archive named SUSTech1K<anything>, or folders like 0000/00-nm/000/ of pkl files"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE, RowKind.PKL)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(*found.groups()) if found else None
