"""Reads videos as a stream of frames, on one thread, and says what is wrong with a broken one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError

# A damaged file makes the decoders write lines of chatter, which would hide the sentence that
# matters; the variable is read when the first video is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Containers round their duration, and some encoders count an empty frame or two at the end.
_TOLERATED_FRAMES = 2
_TOLERATED_SHARE = 0.02


class VideoError(DataError):
    """A video that cannot be read, or not to its end.

    Attributes:
        reason: in few words, for the counts in a table.
        frames: frames that could be read.
    """

    def __init__(self, message: str, reason: str = "unreadable video", frames: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.frames = frames


def read_video(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The frames of a video, one after the other; one frame is held in memory.

    A video is truncated when it gives fewer frames than its container announces, less a
    tolerance of 2 frames or 2 %. Its frames are yielded before that is known; the error that
    follows the last of them says how many there were.

    Yields:
        uint8 [h, w, 3], blue, green, red.

    Raises:
        VideoError: no such file, an empty one, not a video, or a truncated one.
    """
    if not path.is_file():
        raise VideoError(f"{path}: expected a video, found no file")
    if path.stat().st_size == 0:
        raise VideoError(
            f"{path}: expected a video, got a file of zero bytes; copy it again or remove it"
        )
    one_thread = [cv2.CAP_PROP_N_THREADS, 1]
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, one_thread)
    try:
        if not capture.isOpened():
            raise VideoError(
                f"{path}: expected a video, got a file that no decoder recognises; "
                "copy it again or remove it"
            )
        announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        decoded = 0
        while True:
            there, frame = capture.read()
            if not there:
                break
            decoded += 1
            yield cast("NDArray[np.uint8]", frame)
    finally:
        capture.release()
    if decoded == 0:
        raise VideoError(
            f"{path}: expected a video, got a container of which no frame can be decoded; "
            "copy it again or remove it"
        )
    if announced - decoded > max(_TOLERATED_FRAMES, _TOLERATED_SHARE * announced):
        raise VideoError(
            f"{path}: the video is truncated: {decoded} of {announced} frames could be decoded; "
            "copy it again or remove it",
            "truncated video",
            decoded,
        )
