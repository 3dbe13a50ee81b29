"""FreeGait as its owners give it out: a folder of pkl files for each modality of a sequence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(
    r"(?:.*/)?(\d{4})/(devid_?\d)/(seq_\d{2}(?:_new)?)(?:/lidar)?", re.ASCII | re.DOTALL
)


class Freegait:
    """Folders `<subject>/<device>/<sequence>/lidar/`, whatever is above them.

    Where the files of all modalities were moved up, a level less.
    """

    looked_for: ClassVar[str] = "folders like 0001/devid_1/seq_00/lidar/ with lidar.pkl in them"

    def scan(self, raw: Path) -> Scan:
        """One row per folder."""
        return scan_folders(raw, _key_of, None, RowKind.PKL)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(*found.groups()) if found else None
