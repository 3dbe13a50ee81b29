"""Scoliosis1K as poses: `Scoliosis1K-pose-raw`, a JSON file per frame."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.formats.catalogue import RowKind
from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_folders
from gait.prepare.catalogue.layouts.scoliosis1k_silhouettes import key_of
from gait.types import SequenceKey

_ARCHIVE = re.compile(r"(?:.*/)?Scoliosis1K-pose-raw\.(?i:zip)", re.DOTALL)


class Scoliosis1kPoses:
    """Folders `<subject>/<class>/<view>/`, whatever is above them, as those of silhouettes."""

    looked_for: ClassVar[str] = (
        "folders like Scoliosis1K-pose-raw/00000/Positive/000_180/ of json files"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per folder; archives are left to be listed."""
        return scan_folders(raw, _key_of, _ARCHIVE, kind=RowKind.POSES)


def _key_of(folder: str) -> SequenceKey | None:
    return None if "Scoliosis1K-sil-raw" in folder.split("/") else key_of(folder)
