"""What the layouts of image folders share."""

from __future__ import annotations

from collections import Counter

from gait.prepare.tree import Folder, fingerprint, is_frame, not_looked_for, state_of
from gait.types import CatalogueRow, SequenceKey


def folder_row(folder: Folder, key: SequenceKey, ignored: Counter[str]) -> CatalogueRow | None:
    """The row of a folder that stands where a sequence does; None if it holds something else.

    A folder with nothing in it is a sequence without frames, as CASIA-B has some: it gets its
    row, so that the manifest can say that nothing came of it.
    """
    frames = []
    for file in folder.files:
        if is_frame(file.name):
            frames.append(state_of(file))
        else:
            ignored[not_looked_for(file.name)] += 1
    if not frames and (folder.files or folder.has_folders):
        return None
    return CatalogueRow(key, "images", "/".join(folder.parts), "", fingerprint(frames))


def some_have_frames(rows: list[CatalogueRow], ignored: Counter[str]) -> list[CatalogueRow]:
    """The rows, or none of them when not one folder has a frame: that is another kind of tree."""
    if any(row.fingerprint != fingerprint([]) for row in rows):
        return rows
    if rows:
        ignored["empty folder"] += len(rows)
    return []
