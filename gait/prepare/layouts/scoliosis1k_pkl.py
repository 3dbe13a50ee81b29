"""Scoliosis1K as pkl files: silhouettes and poses, side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gait.prepare.layouts._folders import scan_trees
from gait.prepare.tree import Scan
from gait.types import SequenceKey

_FOLDER = re.compile(
    r"Scoliosis1K-(?:sil|pose)-pkl/(\d{5})/((?i:positive|neutral|negative))/(\d{3}_\d{3})",
    re.ASCII | re.DOTALL,
)


class Scoliosis1kPkl:
    """Folders `<subject>/<class>/<view>/` below those that the archives are named for.

    The condition is the class in small letters, which the owners write in either way.
    """

    looked_for: ClassVar[str] = (
        "folders like Scoliosis1K-sil-pkl/00000/Positive/000_180/, or the same below "
        "Scoliosis1K-pose-pkl/, of pkl files"
    )

    def scan(self, raw: Path) -> Scan:
        """One row a sequence that either of the trees has."""
        return scan_trees(raw, _key_of)


def _key_of(folder: str) -> SequenceKey | None:
    found = _FOLDER.fullmatch(folder)
    return SequenceKey(found[1], found[2].lower(), found[3]) if found else None
