"""Poses to skeleton maps: one picture of the limbs and one of the joints for each frame."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gait.prepare.modalities.joints import to_coco

# Raised when the same poses would give other maps than before.
ALGORITHM = "skeleton-1"

Floats = NDArray[np.float64]

# Pairs of COCO's joints that a limb joins.
LIMBS = (
    (0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (5, 7), (7, 9), (0, 6), (6, 8), (8, 10),
    (5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16), (11, 12),
)  # fmt: skip
HIPS = (11, 12)

# Widths in pixels of the canvas that is drawn on.
_CANVAS_PX = 128
_HEIGHT_PX = 85.0
_SIGMA_PX = 8.0
# Standard deviations from a joint or limb beyond which nothing is drawn.
_REACH = 3.0
_LEAST_CONFIDENCE = 1e-3
# Limbs of less than this length are drawn as their first joint.
_LEAST_LIMB_PX = 1.0
_NEIGHBOURS = 4
# Frames that are drawn at a time: larger blocks leave the processor's cache.
_BLOCK = 16
# So many are held at once, of those between all frames, which are the square of their number.
_DISTANCES = 2**23

# Gray levels as published: a level becomes a share of 1 and a level again, which takes one away
# from those whose share is rounded down.
_LOWER = (
    33, 37, 41, 45, 49, 53, 57, 61, 66, 74, 82, 90, 98, 106, 114, 122, 132, 148, 164, 180, 196,
    212, 228, 244,
)  # fmt: skip
_LEVELS = np.arange(256, dtype=np.uint8)
_LEVELS[list(_LOWER)] -= 1


def skeleton_maps(pose: NDArray[np.floating], size_px: int) -> NDArray[np.uint8]:
    """Draw each frame's limbs and joints as blurred lines and dots.

    The walker is scaled to one height with the hips in the middle, drawn with the confidences as
    brightness, cut to the rows that are drawn on and to as many columns, and scaled to `size_px`.
    Joints of which nothing is known in a frame are taken from the frames most like it. A frame
    whose joints have all the same height, or no confidence, is black.

    Args:
        pose: [s, 17, 3] in COCO's order or [s, 18, 3] in OpenPose's: x, y and the confidence; a
            coordinate of 0 is unknown.
        size_px: height and width of the result.

    Returns:
        uint8 [s, 2, size, size]: limbs, joints.

    Raises:
        DataError: poses have other joints.

    Source: Fan et al., "SkeletonGait: Gait Recognition Using Skeleton Maps", AAAI 2024,
    arXiv 2311.13444.
    """
    points = normalised(np.asarray(pose, np.float64))
    maps = np.zeros((len(points), 2, size_px, size_px), np.uint8)
    for first in range(0, len(points), _BLOCK):
        block = points[first : first + _BLOCK]
        limbs = block[:, np.array(LIMBS)]
        start, end = limbs[:, :, 0], limbs[:, :, 1]
        confidence = np.minimum(start[..., 2], end[..., 2])
        drawn = (
            _drawn(start[..., :2], end[..., :2], confidence),
            _drawn(block[..., :2], block[..., :2], block[..., 2]),
        )
        maps[first : first + _BLOCK] = _cut(np.stack(drawn, axis=1), size_px)
    return maps


def normalised(pose: Floats) -> Floats:
    """The pose in COCO's order, completed, scaled to one height and centred, [s, 17, 3]."""
    pose = to_coco(pose)
    points = _completed(pose[..., :2])
    centre = points[:, HIPS].mean(axis=1, keepdims=True)
    height = np.ptp(points[..., 1], axis=1)[:, None, None]
    is_flat = height == 0.0
    points = (points - centre) * (_HEIGHT_PX / np.where(is_flat, 1.0, height)) + _CANVAS_PX / 2
    confidence = np.where(is_flat, 0.0, pose[..., 2:])
    return np.concatenate([points, confidence], axis=2)


def _completed(points: Floats) -> Floats:
    """Coordinates with the unknown ones taken from similar frames, [s, v, 2].

    A value is the mean over the frames most like its own in what both know, weighted by their
    nearness. Nothing is completed where a coordinate is unknown in every frame.
    """
    values = points.reshape(len(points), -1)
    known = values != 0.0
    if known.all() or not known.any(axis=0).all():
        return points
    completed = values.copy()
    at_once = max(1, _DISTANCES // len(values))
    for first in range(0, len(values), at_once):
        block = slice(first, first + at_once)
        if known[block].all():
            continue
        distance = _distances(values, known, block)
        for column in np.flatnonzero(~known[block].all(axis=0)):
            donors, rows = np.flatnonzero(known[:, column]), np.flatnonzero(~known[block, column])
            completed[first + rows, column] = _guessed(
                distance[np.ix_(rows, donors)], values[donors, column]
            )
    return completed.reshape(points.shape)


def _distances(values: Floats, known: NDArray[np.bool_], block: slice) -> Floats:
    """How far some frames are from all, over what both know, [b, s]; not a number over nothing."""
    present = known.astype(np.float64)
    common = present[block] @ present.T
    squares = values**2
    apart = (
        squares[block] @ present.T + present[block] @ squares.T - 2.0 * values[block] @ values.T
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.maximum(apart, 0.0) * (values.shape[1] / common)))


def _guessed(distance: Floats, given: Floats) -> Floats:
    """A value for each row of `distance` [receivers, donors] from the donors nearest to it."""
    distance = np.where(np.isnan(distance), np.inf, distance)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :_NEIGHBOURS]
    distance = np.take_along_axis(distance, nearest, axis=1)
    # Frames that are the same are all that counts, where there are any.
    is_same = distance == 0.0
    with np.errstate(divide="ignore"):
        weights = np.where(is_same.any(axis=1, keepdims=True), is_same, 1.0 / distance)
    total = weights.sum(axis=1)
    guessed = (weights * given[nearest]).sum(axis=1) / np.where(total, total, 1.0)
    return np.asarray(np.where(total, guessed, given.mean()), np.float64)


class _Axis(NamedTuple):
    """What a pixel's column, or row, adds to its distance from a line, over b frames.

    Attributes:
        window: the pixels that any frame draws on.
        squared: its part of the squared distance from the line's start, infinite beyond the
            frame's own reach, float32 [b, window].
        along: its part of the product with the line's vector, float32 [b, window].
    """

    window: slice
    squared: NDArray[np.float32]
    along: NDArray[np.float32]


def _drawn(start: Floats, end: Floats, confidence: Floats) -> NDArray[np.uint8]:
    """Gray levels [b, 128, 128] of lines [b, m, 2] of a brightness [b, m]; the brightest wins."""
    vector = end - start
    length = (vector**2).sum(axis=-1)
    is_short = length < _LEAST_LIMB_PX**2
    vector[is_short], length[is_short] = 0.0, 1.0
    with np.errstate(divide="ignore"):
        bright = np.log(np.where(confidence < _LEAST_CONFIDENCE, 0.0, confidence))
    # The largest of the exponents, as the largest of their powers would cost a power each. One
    # line at a time in all frames: over a few frames it stays in a small part of the canvas.
    exponent = np.full((len(start), _CANVAS_PX, _CANVAS_PX), -np.inf, np.float32)
    for line in np.flatnonzero((bright > -np.inf).any(axis=0)):
        columns, rows = (
            _axis(start[:, line, axis, None], vector[:, line, axis, None]) for axis in range(2)
        )
        # Distance from the nearest point of the line, which lies `share` of the way along.
        along = rows.along[:, :, None] + columns.along[:, None, :]
        share = along * (1.0 / length[:, line]).astype(np.float32)[:, None, None]
        np.clip(share, 0.0, 1.0, out=share)
        along *= np.float32(2.0)
        along -= share * length[:, line].astype(np.float32)[:, None, None]
        along *= share
        squared = rows.squared[:, :, None] + columns.squared[:, None, :]
        squared -= along
        squared *= np.float32(-0.5 / _SIGMA_PX**2)
        squared += bright[:, line].astype(np.float32)[:, None, None]
        part = exponent[:, rows.window, columns.window]
        np.maximum(part, squared, out=part)
    brightest = np.exp(exponent, dtype=np.float64)
    return _LEVELS[np.minimum(brightest * 256.0, 255.0).astype(np.uint8)]


def _axis(start: Floats, vector: Floats) -> _Axis:
    reach, end = _REACH * _SIGMA_PX, start + vector
    low = np.trunc(np.minimum(start, end) - reach).clip(0, _CANVAS_PX)
    high = np.trunc(np.maximum(start, end) + reach).clip(-1, _CANVAS_PX - 1)
    window = slice(int(low.min()), max(int(high.max()) + 1, int(low.min())))
    pixels = np.arange(window.start, window.stop, dtype=np.float64)
    offset = pixels - start
    squared = np.where((pixels < low) | (pixels > high), np.inf, offset**2)
    return _Axis(window, squared.astype(np.float32), (offset * vector).astype(np.float32))


def _cut(levels: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Cut maps [b, 2, 128, 128] to the rows that are drawn on, as wide as high, and scale them."""
    maps = np.zeros((*levels.shape[:2], size_px, size_px), np.uint8)
    filled = levels.max(axis=3) > 0
    top = filled.argmax(axis=2)
    height = np.where(filled.any(axis=2), _CANVAS_PX - filled[..., ::-1].argmax(axis=2) - top, 0)
    for frame, channel in np.argwhere(height):
        rows, half = height[frame, channel], height[frame, channel] // 2
        first = top[frame, channel]
        cut = levels[frame, channel, first : first + rows]
        cut = cut[:, _CANVAS_PX // 2 - half : _CANVAS_PX // 2 + half + 1]
        down, across = (area_weights(each, size_px) for each in cut.shape)
        # Rounded down, as published; a quotient of such numbers never reaches the next one.
        maps[frame, channel] = (down @ cut.astype(np.float64) @ across.T) / cut.size
    return maps


@lru_cache(maxsize=512)
def area_weights(source_px: int, target_px: int) -> NDArray[np.float64]:
    """How much of each source pixel lies in each target pixel, in whole parts, [target, source].

    A source pixel has `target_px` parts, so each row sums to `source_px`.
    """
    target, source = np.arange(target_px)[:, None], np.arange(source_px)
    first = np.maximum(target * source_px, source * target_px)
    end = np.minimum((target + 1) * source_px, (source + 1) * target_px)
    return np.asarray(np.maximum(end - first, 0), np.float64)
