"""OUMVLP-Pose: a JSON file per frame, in `<subject>/<view>_<sequence>/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(r"(?:.*/)?(\d{5})/(\d{3})_(\d{2})", re.ASCII | re.DOTALL)
# Its two halves, of AlphaPose and of OpenPose, are archives of such folders.
_ARCHIVE = re.compile(r"(?:.*/)?[^/]*(?i:pose)[^/]*\.(?i:zip|7z|tar|tar\.gz|tgz)", re.DOTALL)


class OumvlpPoses:
    """Folders `<subject>/<view>_<sequence>/`, whatever is above them."""

    looked_for: ClassVar[str] = "folders like 00001/000_00/ of json files"

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE, kind=RowKind.POSES)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[3], found[2]) if found else None
