"""Silhouettes that were aligned by others: taken as they are, or scaled to the wanted size."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.silhouettes.align import Aligned, Frames


def as_is(frames: Frames, size_px: int) -> Aligned:
    """The frames of the wanted size, untouched; all others are dropped.

    Args:
        frames: uint8 [h, w] each.
        size_px: height and width that they should have.
    """
    shape = (size_px, size_px)
    kept = [number for number, frame in enumerate(frames) if frame.shape == shape]
    other = set(range(len(frames))) - set(kept)
    problems = dict.fromkeys(sorted(other), f"not {size_px} x {size_px} px")
    return _aligned([frames[number] for number in kept], size_px, kept, problems)


def resize(frames: Frames, size_px: int) -> Aligned:
    """Every frame scaled bilinearly to the wanted height and width, whatever its aspect.

    Published figures on CASIA-E were measured on such frames. The published program scales by
    height alone, so that it stops at frames of the wanted height and another width.

    Args:
        frames: uint8 [h, w] each.
        size_px: height and width of the result.
    """
    return _resized(frames, size_px, cv2.INTER_LINEAR)


def resize_bicubic(frames: Frames, size_px: int) -> Aligned:
    """Every frame scaled bicubically to the wanted height and width, whatever its aspect.

    Published figures on SUSTech1K were measured on such frames.

    Args:
        frames: uint8 [h, w] each.
        size_px: height and width of the result.
    """
    return _resized(frames, size_px, cv2.INTER_CUBIC)


def _resized(frames: Frames, size_px: int, interpolation: int) -> Aligned:
    size = (size_px, size_px)
    scaled = [
        frame
        if frame.shape == size
        else np.asarray(cv2.resize(frame, size, interpolation=interpolation), np.uint8)
        for frame in frames
    ]
    return _aligned(scaled, size_px, list(range(len(frames))), {})


def _aligned(
    frames: list[NDArray[np.uint8]], size_px: int, kept: list[int], problems: dict[int, str]
) -> Aligned:
    stacked = np.stack(frames) if frames else np.zeros((0, size_px, size_px), np.uint8)
    dropped = dict(Counter(problems.values()))
    return Aligned(stacked, np.array(kept, np.int64), dropped, problems)
