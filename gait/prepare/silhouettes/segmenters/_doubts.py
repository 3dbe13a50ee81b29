"""What a camera that stands still before one walker does not show: signs to give no silhouette."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.silhouettes.segmenters._scene import Plane

# Along each side of the reduced image; each tells by itself how far it has moved.
_BLOCKS = 8
# Blocks that have to tell, which a plain wall's do not.
_LEAST_BLOCKS = 8
# Blocks that have to tell in the outer columns on either side. Before a plain wall the walker is
# all that moves, and reaches one side at most; a camera moves both.
_SIDES = slice(0, 2), slice(_BLOCKS - 2, _BLOCKS)
_LEAST_OF_SIDE = 2
# Squared levels a pixel, in the direction with less of them, from which a block's texture tells.
_TEXTURE = 0.3
# Pixels of the reduced image. A walk before a still camera stays below 0.05; an outline begins to
# suffer from 0.2 on where the scene is known from a clip of it, and later where its model is made
# of the same frames, and so tolerates what these do. Such a model may be so smeared that only the
# frame before tells.
MOVED = 0.25
MOVED_WITHOUT_BACKGROUND = 0.75
MOVED_SINCE_LAST = 0.25
# Share of a block's change that its motion accounts for; of noise, next to nothing. Squared levels
# that are added to the change, so that what rounding leaves explains nothing.
_EXPLAINED, _ROUNDING = 0.25, 0.5
# Share of the frame. A walk stays below 0.12, a stride before the camera below 0.3.
_CHANGED = 0.5
# Another part is another walker when it has this share of the largest part's area and of its
# height, and stands beside it: not below it, as legs do that the trunk is not seen above.
_OTHER_AREA = 0.3
_OTHER_HEIGHT = 0.6
_BESIDE = 0.5
# Times the area of one walker from which a part is two that touch.
_TOUCHING = 1.5

_GRAY = np.full((1, 3), 1 / 3, np.float32)


class CameraMotion:
    """Tells by the optical flow of blocks whether the camera has moved.

    Source: Lucas and Kanade, "An iterative image registration technique with an application to
    stereo vision", IJCAI 1981; one step of it for each block, and the median of their lengths.

    Args:
        reference: the reduced scene, or the reduced frame before.
        limit: pixels from which it has.
    """

    def __init__(self, reference: Plane, limit: float) -> None:
        self._gray = _gray(reference)
        self._across = cv2.Sobel(self._gray, cv2.CV_32F, 1, 0, scale=1 / 8)
        self._down = cv2.Sobel(self._gray, cv2.CV_32F, 0, 1, scale=1 / 8)
        self._xx = _means(self._across * self._across)
        self._xy = _means(self._across * self._down)
        self._yy = _means(self._down * self._down)
        trace = self._xx + self._yy
        determinant = self._xx * self._yy - self._xy * self._xy
        least = (trace - np.sqrt(np.maximum(trace * trace - 4 * determinant, 0))) / 2
        self._telling = least > _TEXTURE
        self._determinant = np.maximum(determinant, _TEXTURE**2)
        self._limit = limit

    def is_seen(self, image: Plane) -> bool:
        """Whether a reduced frame, in the reference's light, is not where that is."""
        if np.count_nonzero(self._telling) < _LEAST_BLOCKS:
            return False
        change = _gray(image) - self._gray
        x, y = _means(self._across * change), _means(self._down * change)
        across = (self._yy * x - self._xy * y) / self._determinant
        down = (self._xx * y - self._xy * x) / self._determinant
        lengths = np.hypot(across, down)
        if np.median(lengths[self._telling]) < self._limit:
            return False
        for side in _SIDES:
            telling = lengths[:, side][self._telling[:, side]]
            if len(telling) < _LEAST_OF_SIDE or np.median(telling) < self._limit:
                return False
        explained = (across * x + down * y) / (_means(change * change) + _ROUNDING)
        return bool(np.median(explained[self._telling]) > _EXPLAINED)


class Company:
    """Tells from the parts of a frame whether there is more than one walker.

    Two who touch are one part; they are known by having been two before.
    """

    def __init__(self) -> None:
        self._area = np.inf

    def is_seen(self, areas: NDArray[np.int64], boxes: NDArray[np.int32], chosen: int) -> bool:
        """Whether anybody else is there.

        Args:
            areas: pixels of each part [n], 0 for what is no part.
            boxes: left, top, width and height of each, and maybe more [n, 4 or more].
            chosen: which part is taken for the walker.
        """
        largest = int(areas.argmax())
        tops, heights = boxes[:, 1], boxes[:, 3]
        shared = np.minimum(tops + heights, tops[largest] + heights[largest]) - np.maximum(
            tops, tops[largest]
        )
        others = (
            (areas > _OTHER_AREA * areas[largest])
            & (heights > _OTHER_HEIGHT * heights[largest])
            & (shared > _BESIDE * np.minimum(heights, heights[largest]))
        )
        if np.count_nonzero(others) > 1:
            self._area = areas[largest]
            return True
        if areas[chosen] > _TOUCHING * self._area:
            return True
        if self._area < np.inf:
            # He may come nearer.
            self._area = areas[chosen]
        return False


def is_changed(deviating: NDArray[np.bool_]) -> bool:
    """Whether so much of the frame differs from the scene that it is no longer that scene."""
    return bool(np.count_nonzero(deviating) > _CHANGED * deviating.size)


def _gray(image: Plane) -> Plane:
    return cast("Plane", cv2.transform(image, _GRAY))


def _means(plane: Plane) -> Plane:
    return cast("Plane", cv2.resize(plane, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA))
