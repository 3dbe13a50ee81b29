"""Anybody's own silhouettes: <subject>/<condition>/<view>/ with the frames as images."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

from gait.config.dataset import NAME
from gait.prepare.layouts._folders import folder_row, some_have_frames
from gait.prepare.tree import MISPLACED, Scan, is_frame, not_looked_for, walk
from gait.types import SequenceKey


class ImageTree:
    """Folders `<subject>/<condition>/<view>/` right below the raw folder."""

    looked_for: ClassVar[str] = "<subject>/<condition>/<view>/ folders of png, jpg or bmp images"

    def scan(self, raw: Path) -> Scan:
        """One row a folder three levels down that holds images, or nothing at all."""
        ignored: Counter[str] = Counter()
        rows = []
        for folder in walk(raw, ignored):
            if len(folder.parts) != 3:
                for file in folder.files:
                    reason = MISPLACED if is_frame(file.name) else not_looked_for(file.name)
                    ignored[reason] += 1
            elif not all(re.fullmatch(NAME, part) for part in folder.parts):
                reason = "folder with a name of other characters than A-Z a-z 0-9 _ . + * = -"
                ignored[reason] += 1
            elif row := folder_row(folder, SequenceKey(*folder.parts), ignored):
                rows.append(row)
        return Scan(some_have_frames(rows, ignored), dict(ignored))
