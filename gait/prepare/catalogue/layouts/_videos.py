"""What the layouts of videos share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import File
from gait.prepare.catalogue.layout import Scan
from gait.prepare.raw.files import (
    POSES,
    FileState,
    fingerprint,
    not_looked_for,
    state_of,
    suffix_of,
    walk,
)
from gait.prepare.raw.unused import Unused
from gait.types import SequenceKey

# The condition by which a layout marks a clip of the empty scene.
BACKGROUND = "background"


def scan_videos(raw: Path, key_of: Callable[[str], SequenceKey | str | None]) -> Scan:
    """The videos in any folder below `raw`, each with the background clip of its camera.

    A file beside a video, named like it but for the suffix `.pose.npz`, is its pose.

    Args:
        raw: the dataset's raw folder.
        key_of: the sequence that a file name stands for, of the condition 'background' for a
            clip of the empty scene; else the reason not to use the file, or None for a name that
            the layout does not know.

    Raises:
        DataError: two background clips are for the same subject and view.
    """
    unused = Unused()
    videos: list[tuple[SequenceKey, str, FileState]] = []
    clips: dict[tuple[str, str], tuple[str, FileState]] = {}
    poses: dict[str, FileState] = {}
    for folder in walk(raw, unused):
        for entry in folder.files:
            key, path = key_of(entry.name), folder.path_of(entry.name)
            if path.endswith(POSES):
                poses[path.removesuffix(POSES)] = state_of(entry)
            elif not isinstance(key, SequenceKey):
                unused.add(folder.path, key or not_looked_for(entry.name))
            elif key.condition != BACKGROUND:
                videos.append((key, path, state_of(entry)))
            elif (camera := (key.subject, key.view)) in clips:
                raise DataError(
                    f"{raw}: two background clips are for subject {key.subject}, view {key.view}: "
                    f"{clips[camera][0]} and {path}; remove one of them"
                )
            else:
                clips[camera] = path, state_of(entry)
    rows = []
    for key, path, file in videos:
        background, *files = clips.get((key.subject, key.view), ("",))
        stem = path[: -len(suffix_of(path))]
        if pose := poses.pop(stem, None):
            files.append(pose)
        rows.append(
            CatalogueRow(
                key,
                RowKind.VIDEO,
                File(path),
                background,
                fingerprint([file, *files]),
                stem + POSES if pose else "",
            )
        )
    if poses:
        unused.add("", "pose without a video of the same name", len(poses))
    lonely = clips.keys() - {(key.subject, key.view) for key, _, _ in videos}
    if lonely:
        unused.add("", "background clip without a video of its camera", len(lonely))
    return Scan(rows, unused)
