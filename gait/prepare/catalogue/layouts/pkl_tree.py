"""Arrays that somebody else has made: <subject>/<condition>/<view>/ of pkl files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_three_levels


class PklTree:
    """Folders `<subject>/<condition>/<view>/` right below the raw folder.

    What the files in them are, the dataset says under `pkl`.
    """

    looked_for: ClassVar[str] = "<subject>/<condition>/<view>/ folders of pkl files"

    def scan(self, raw: Path) -> Scan:
        """One row per folder three levels down that holds pkl files, or nothing at all."""
        return scan_three_levels(raw, RowKind.PKL)
