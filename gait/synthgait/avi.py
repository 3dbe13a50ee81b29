"""Writes video clips, each whole or not at all."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable
from pathlib import Path

import cv2

from gait.errors import DataError
from gait.files import atomic_path
from gait.synthgait.scene import Image

# MPEG-4 part 2, as cameras of CASIA-B's time wrote it.
_CODEC = "XVID"


def write_avi(
    path: Path, frames: Iterable[Image], width_px: int, height_px: int, fps: float
) -> int:
    """Encode frames into `path` and give the size of the file in bytes.

    A file that already holds the same bytes keeps its modification time, so that nothing made
    from it is made again.

    Raises:
        DataError: the video cannot be written, or only in part.
    """
    with atomic_path(path) as temporary:
        codec = cv2.VideoWriter.fourcc(*_CODEC)
        writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, codec, fps, (width_px, height_px))
        if not writer.isOpened():
            raise DataError(
                f"{path}: cannot be opened for writing as {_CODEC} video of {width_px} x "
                f"{height_px} px; check that its folder is writable and that "
                "opencv-python-headless was built with FFmpeg"
            )
        try:
            for frame in frames:
                writer.write(frame)
        finally:
            writer.release()
        # A full disk goes unnoticed by the encoder.
        size, meant = temporary.stat().st_size, _size_by_header(temporary)
        if size != meant:
            raise DataError(
                f"{path}: only {size} of {meant} bytes could be written; free space on that "
                "disk, then run again"
            )
        if path.is_file() and filecmp.cmp(path, temporary, shallow=False):
            before = path.stat()
            os.utime(temporary, ns=(before.st_atime_ns, before.st_mtime_ns))
        return size


def _size_by_header(path: Path) -> int:
    """The size of an AVI file as its first chunk, which holds all others, states it."""
    with path.open("rb") as file:
        start = file.read(8)
    return len(start) + int.from_bytes(start[4:], "little")
