"""GaitLU-1M as it is given out: one pkl file of silhouettes a sequence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.config.dataset import NAME
from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(
    rf"(?:(?:.*/)?silhouette_cut_pkl/)?(\d{{3}})/({NAME})/({NAME})", re.ASCII | re.DOTALL
)
_ARCHIVE = re.compile(r"(?:.*/)?Gait-?LU[^/]*\.zip", re.ASCII | re.DOTALL | re.IGNORECASE)


class Gaitlu1m:
    """Folders `<aaa>/<bbb>/<ccc>/`, right below the raw folder or below `silhouette_cut_pkl`."""

    looked_for: ClassVar[str] = (
        "GaitLU-1M.zip, joined from its six parts, or folders like "
        "silhouette_cut_pkl/000/000/000/ of pkl files"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; an archive is left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE, RowKind.PKL)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(*found.groups()) if found else None
