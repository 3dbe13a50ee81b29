"""What segmenters share: the walker among the parts of a mask, and why there is none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# What a segmenter is not made for. A clip with much of it gives no silhouettes at all.
CAMERA_MOVES = "camera moves"
SCENE_CHANGES = "scene changes"
SEVERAL_WALKERS = "several walkers"
UNFIT = frozenset({CAMERA_MOVES, SCENE_CHANGES, SEVERAL_WALKERS})


def largest_part(mask: NDArray[np.bool_], min_area: float) -> NDArray[np.bool_] | None:
    """The largest connected part of a mask.

    Args:
        mask: [h, w].
        min_area: share of the frame's area below which nothing counts.

    Returns:
        [h, w], or None when no part is large enough.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax())
    if areas[largest] < min_area * mask.size:
        return None
    chosen: NDArray[np.bool_] = labels == largest + 1
    return chosen
