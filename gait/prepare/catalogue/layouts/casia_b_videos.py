"""CASIA-B as videos, `DatasetB`: 001-nm-01-090.avi with background clips 001-bkgrd-090.avi."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._videos import BACKGROUND, scan_videos
from gait.prepare.raw.files import VIDEOS, suffix_of
from gait.types import SequenceKey

_NAME = re.compile(r"(\d{3})-(?:((?:nm|bg|cl)-\d{2})|bkgrd)-(\d{3})\.(?i:avi)", re.ASCII)


class CasiaBVideos:
    """Videos `<subject>-<nm|bg|cl>-<number>-<view>.avi`, in whatever folders."""

    looked_for: ClassVar[str] = "videos named like 001-nm-01-090.avi (nm, bg or cl)"

    def scan(self, raw: Path) -> Scan:
        """One row per video; a background clip belongs to all videos of its subject and view."""
        return scan_videos(raw, _key_of)


def _key_of(name: str) -> SequenceKey | str | None:
    if found := _NAME.fullmatch(name):
        return SequenceKey(found[1], found[2] or BACKGROUND, found[3])
    return "video not named like 001-nm-01-090.avi" if suffix_of(name) in VIDEOS else None
