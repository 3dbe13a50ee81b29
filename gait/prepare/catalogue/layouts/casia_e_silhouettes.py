"""CASIA-E as silhouettes: zip files of one tar file per subject as they come, or unpacked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.types import SequenceKey

_FOLDER = re.compile(
    r"(?:.*/)?(?P<subject>\d{3,4})/(?P<height>[HL])/(?P<scene>scene\d(?:_s)?)/"
    r"(?P<clothes>nm|bg|cl)/(?P<view>\d{3})/(?P<number>\d+)",
    re.ASCII | re.DOTALL,
)
_ARCHIVE = re.compile(
    r"(?:.*/)?(?:(?:train|val|test)\d{3}-\d{3,4}\.(?i:zip)|\d{3,4}\.(?i:tar|tar\.gz|tgz))",
    re.ASCII | re.DOTALL,
)


class CasiaESilhouettes:
    """Folders `<subject>/<H|L>/<scene>/<nm|bg|cl>/<view>/<number>/`, whatever is above them.

    The condition is `<H|L>-<scene>-<nm|bg|cl>-<number>`.
    """

    looked_for: ClassVar[str] = (
        "train001-500.zip, val501-614.zip and test615-1014.zip, the tar files in them, named like "
        "001.tar, or folders like 001/H/scene1/nm/000/1/ of jpg images"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    if found is None:
        return None
    condition = "-".join(found[part] for part in ("height", "scene", "clothes", "number"))
    return SequenceKey(found["subject"], condition, found["view"])
