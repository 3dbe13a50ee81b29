"""Scoliosis1K as pkl files: silhouettes and poses, side by side."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import ClassVar

from gait.prepare.catalogue.layout import Scan
from gait.prepare.catalogue.layouts._folders import scan_trees
from gait.types import SequenceKey

_SEQUENCE = r"(\d{5})/((?i:positive|neutral|negative))/(\d{3}_\d{3})"
_FOLDER = re.compile(rf"Scoliosis1K-(?:sil|pose)-pkl/{_SEQUENCE}", re.ASCII)
_INSIDE = re.compile(rf"(?:.*/)?{_SEQUENCE}", re.ASCII | re.DOTALL)
_ARCHIVE = re.compile(r"Scoliosis1K-(?:sil|pose)-pkl\.(?i:zip)")


class Scoliosis1kPkl:
    """Folders `<subject>/<class>/<view>/` below those that the archives are named for.

    The condition is the class in small letters, which the owners write in either way.
    """

    looked_for: ClassVar[str] = (
        "Scoliosis1K-sil-pkl.zip, Scoliosis1K-pose-pkl.zip, or both; or folders like "
        "Scoliosis1K-sil-pkl/00000/Positive/000_180/, or the same below "
        "Scoliosis1K-pose-pkl/, of pkl files"
    )

    def scan(self, raw: Path) -> Scan:
        """One row per sequence that either of the trees has."""
        return scan_trees(raw, partial(_key_of, _FOLDER), _ARCHIVE, partial(_key_of, _INSIDE))


def _key_of(pattern: re.Pattern[str], folder: str) -> SequenceKey | None:
    found = pattern.fullmatch(folder)
    return SequenceKey(found[1], found[2].lower(), found[3]) if found else None
