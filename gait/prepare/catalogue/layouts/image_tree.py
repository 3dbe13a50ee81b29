"""Anybody's own silhouettes: <subject>/<condition>/<view>/ with the frames as images."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_three_levels


class ImageTree:
    """Folders `<subject>/<condition>/<view>/` right below the raw folder."""

    looked_for: ClassVar[str] = "<subject>/<condition>/<view>/ folders of png, jpg or bmp images"

    def scan(self, raw: Path) -> Scan:
        """One row per folder three levels down that holds images, or nothing at all."""
        return scan_three_levels(raw, RowKind.IMAGES)
