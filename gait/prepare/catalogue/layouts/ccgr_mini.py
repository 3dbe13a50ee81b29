"""CCGR-MINI as it is given out: trees of pkl files and of videos, side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_trees
from gait.types import SequenceKey

_FOLDER = re.compile(
    r"(?:silhouettes|parsing|pose|rgb)/(\d+)/([A-Z]+\d+)/([\w-]+\.avi)", re.ASCII | re.DOTALL
)


class CcgrMini:
    """Folders `<tree>/<subject>/<covariate>/<view>/`; the names of trees are chosen here.

    A view is named like a video, and is a folder all the same.
    """

    looked_for: ClassVar[str] = (
        "folders like silhouettes/1/AS1/over.avi/ of pkl files, and such trees named parsing, "
        "pose and, with a video in each folder, rgb"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per sequence that any of the trees has."""
        return scan_trees(raw, _key_of)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(*found.groups()) if found else None
