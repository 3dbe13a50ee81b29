"""Point clouds of walkers to images whose colours tell how far away each point is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.silhouettes.align import DEPTH, Aligned, align

# Raised when the same clouds would give other images than before.
ALGORITHM = "depth-1"

NOTHING_IN_SIGHT = "no point in the sensor's field of view"

# The panorama around the sensor of SUSTech1K, in cells of its own resolution: 360 degrees across,
# 25 degrees below the horizon to 15 above it.
_COLUMN_DEG, _ROW_DEG = 0.19188, 0.2
_ROWS = 200.0
_STRAIGHT_AHEAD, _HORIZON = 938.1, 125.0
# A point is a disc of one typographic point's width at 100 cells an inch, and reaches so far.
_RADIUS = 100 / 72 / 2
_NEIGHBOURS = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(9, 2)
_OWN = 4
# Black columns beside a figure, for each row of it: enough that the width the image is scaled to
# is rounded by no more than a part in 250.
_MARGIN = 2

# From blue, the farthest point, over green and yellow to red, the nearest: blue, green, red.
_LEVELS = np.linspace(0.0, 1.0, 256)
_COLOURS = np.stack(
    [
        np.interp(_LEVELS, [0.0, 0.11, 0.34, 0.65, 1.0], [0.5, 1.0, 1.0, 0.0, 0.0]),
        np.interp(_LEVELS, [0.125, 0.375, 0.64, 0.91], [0.0, 1.0, 1.0, 0.0]),
        np.interp(_LEVELS, [0.35, 0.66, 0.89, 1.0], [0.0, 1.0, 1.0, 0.5]),
    ],
    axis=1,
)
_PALETTE = (_COLOURS * 255.0).astype(np.uint8)


def depth_images(clouds: Sequence[NDArray[np.floating]], size_px: int) -> Aligned:
    """Draw each cloud as the sensor sees it, and align the figure like a silhouette.

    Points become discs about one cell of the sensor's resolution wide; where several meet, the
    nearest to the sensor is seen. Colours span the distances within a cloud, so they tell shape
    and not how far away the walker is.

    Args:
        clouds: for each frame the walker's points, [m, 3]: x, y and z in metres, the sensor at
            the origin and z upwards. Walkers are where x is negative.
        size_px: height and width of the result.

    Returns:
        Frames uint8 [m, 3, size, size]: blue, green, red, which is the order that published
        weights have learned.

    Raises:
        DataError: a cloud is not [m, 3], or has a number that is not finite.

    Source: Shen et al., "LidarGait: Benchmarking 3D Gait Recognition with Point Clouds",
    CVPR 2023, arXiv 2211.10598.
    """
    _check(clouds)
    drawn = [_drawn(cloud) for cloud in clouds]
    seen = [row for row, image in enumerate(drawn) if image.size]
    aligned = align([drawn[row] for row in seen], size_px, DEPTH)
    problems = {row: NOTHING_IN_SIGHT for row, image in enumerate(drawn) if not image.size}
    problems |= {seen[row]: problem for row, problem in aligned.problems.items()}
    return Aligned(
        np.ascontiguousarray(aligned.frames.transpose(0, 3, 1, 2)),
        np.array(seen, np.int64)[aligned.kept],
        dict(sorted(Counter(problems.values()).items())),
        problems,
    )


def _check(clouds: Sequence[NDArray[np.floating]]) -> None:
    for number, cloud in enumerate(clouds):
        if cloud.ndim != 2 or cloud.shape[1] != 3 or cloud.dtype.kind != "f":
            found = f"{cloud.dtype} {list(cloud.shape)}"
        elif not np.isfinite(cloud).all():
            found = "numbers that are not finite"
        else:
            continue
        raise DataError(f"cloud {number}: expected points, real numbers [m, 3], got {found}")


def _drawn(cloud: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The part of the panorama with the figure in it, uint8 [h, w, 3]; empty without a figure."""
    x, y, z = -cloud[:, 0].astype(np.float64), -cloud[:, 1].astype(np.float64), cloud[:, 2]
    distance = np.hypot(x, y)
    columns = np.degrees(np.arctan2(-y, x)) / _COLUMN_DEG + _STRAIGHT_AHEAD
    rows = _ROWS - (np.degrees(np.arctan2(z, distance)) / _ROW_DEG + _HORIZON)
    # The farthest first, as what is drawn later covers what is there.
    order = np.argsort(-distance, kind="stable")
    order = order[(rows[order] >= 0.0) & (rows[order] <= _ROWS)]
    place = np.stack([rows, columns], axis=1)[order, None]
    cells = np.floor(place) + _NEIGHBOURS
    is_covered = ((cells + 0.5 - place) ** 2).sum(axis=2) <= _RADIUS**2
    # A disc whose centre is in a cell's corner reaches no cell's centre, not even of its own.
    is_covered[:, _OWN] = True
    covered = cells[is_covered].astype(np.int64)
    if not len(covered):
        return np.zeros((0, 0, 3), np.uint8)
    first, last = covered.min(axis=0), covered.max(axis=0)
    height, width = last - first + 1
    margin = _MARGIN * height
    image = np.zeros((height, width + 2 * margin, 3), np.uint8)
    colours = np.broadcast_to(_colours(distance)[order, None], (*is_covered.shape, 3))
    image[covered[:, 0] - first[0], covered[:, 1] - first[1] + margin] = colours[is_covered]
    return image


def _colours(distance: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A colour for each point, [m, 3]."""
    nearness = distance.max(initial=0.0) - distance
    span = nearness.max(initial=0.0)
    levels = nearness * (256.0 / span) if span else nearness
    colours: NDArray[np.uint8] = _PALETTE[np.minimum(levels, 255.0).astype(np.int64)]
    return colours
