"""How far the silhouettes of sequences have the shape of one walker."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Parts are counted at some 20,000 frames per second, so that a few have to do.
_FRAMES_OF_EACH = 8
_BLOCK_FRAMES = 2048
# From this value on a pixel belongs to the walker.
_WALKER = 128
# A side of the image is touched where this share of it is white: more than the tip of a foot.
_TOUCHED_SHARE = 0.1

# What walkers keep to on the average of a sequence, seen from the front, the side, with a bag and
# in a coat; blobs, shadows and several people do not.
_LEAST_RATIO, _MOST_RATIO = 1.3, 6.0
_LEAST_FILLED, _MOST_FILLED = 0.25, 0.75
_MOST_LOOSE = 0.05
_MOST_CUT = 0.5

# What may be wrong with a sequence.
NO_RATIO = "not as high for its width as a walker"
NOT_FILLED = "fills too much or too little of the box around it"
IN_PARTS = "in several parts"
CUT_OFF = "touches the sides"


@dataclass(frozen=True, slots=True)
class Shapes:
    """Means over some frames of each sequence that show anything, float64 [n]; NaN without one.

    Attributes:
        ratio: height divided by width of the box around the walker.
        filled: the share of that box that is white.
        loose: the share of the white that is not connected with the largest part.
        cut: the share of frames in which the walker touches the left or the right side.
    """

    ratio: NDArray[np.float64]
    filled: NDArray[np.float64]
    loose: NDArray[np.float64]
    cut: NDArray[np.float64]

    @property
    def is_off(self) -> dict[str, NDArray[np.bool_]]:
        """Which sequences have a fault, [n], by what it is."""
        return {
            NO_RATIO: ~((self.ratio >= _LEAST_RATIO) & (self.ratio <= _MOST_RATIO)),
            NOT_FILLED: ~((self.filled >= _LEAST_FILLED) & (self.filled <= _MOST_FILLED)),
            IN_PARTS: ~(self.loose <= _MOST_LOOSE),
            CUT_OFF: ~(self.cut <= _MOST_CUT),
        }

    @property
    def number_of_faults(self) -> NDArray[np.int64]:
        """How many faults each sequence has, [n]."""
        number = np.zeros(len(self.ratio), np.int64)
        for is_off in self.is_off.values():
            number += is_off
        return number

    def faults(self, position: int) -> list[str]:
        """What of a sequence is not like a walker, in a few words each."""
        ratio, filled = self.ratio[position], self.filled[position]
        if np.isnan(ratio):
            return ["nothing white in any frame"]
        told = {
            NO_RATIO: f"{ratio:.1f} times as high as wide",
            NOT_FILLED: f"fills {100 * filled:.0f} % of the box around it",
            IN_PARTS: f"{100 * self.loose[position]:.0f} % in further parts",
            CUT_OFF: f"touches a side in {100 * self.cut[position]:.0f} % of its frames",
        }
        return [told[name] for name, is_off in self.is_off.items() if is_off[position]]


def shapes_of(
    frames: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Shapes:
    """Measure the shapes of aligned silhouettes in a few frames, spread over each sequence.

    Args:
        frames: uint8 [frames, h, w], mapped or not.
        starts: position of each sequence's first frame, [n].
        lengths: frames of each sequence, [n], none of them 0.
    """
    positions, owners = _chosen(starts, lengths)
    measures = [
        _measured(frames[positions[first : first + _BLOCK_FRAMES]])
        for first in range(0, len(positions), _BLOCK_FRAMES)
    ]
    sums = np.zeros((len(starts), 5))
    for column, values in enumerate(np.concatenate([np.zeros((0, 5)), *measures]).T):
        sums[:, column] = np.bincount(owners, values, len(starts))
    means = np.full((len(starts), 4), np.nan)
    seen = sums[:, 4:]
    np.divide(sums[:, :4], seen, out=means, where=seen > 0)
    return Shapes(*means.T)


def _chosen(
    starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of frames from the first to the last of each sequence, and whose they are."""
    numbers = np.minimum(lengths, _FRAMES_OF_EACH)[:, None]
    steps = np.arange(_FRAMES_OF_EACH)
    spread = starts[:, None] + steps * (lengths[:, None] - 1) // np.maximum(numbers - 1, 1)
    is_chosen = steps < numbers
    return spread[is_chosen], np.nonzero(is_chosen)[0]


def _measured(block: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Ratio, filled, loose, cut and 1 for each frame, [s, 5]; zeros for one without a walker."""
    count, height, width = block.shape
    # One image of all frames, with a black row below each, so that no part reaches another frame.
    tall = np.zeros((count, height + 1, width), np.uint8)
    np.greater_equal(block, _WALKER, out=tall[:, :height], casting="unsafe")
    rows = tall[:, :height].max(axis=2)
    columns = tall.max(axis=1)
    areas, largest = _parts(tall)
    is_seen = areas > 0
    box_height, box_width = _extent(rows), _extent(columns)
    sides = tall[:, :height, [0, -1]].mean(axis=1).max(axis=1)
    made = np.zeros((count, 5))
    area = np.maximum(areas, 1)
    made[:, 0] = box_height / np.maximum(box_width, 1)
    made[:, 1] = areas / np.maximum(box_height * box_width, 1)
    made[:, 2] = 1 - largest / area
    made[:, 3] = sides > _TOUCHED_SHARE
    made[:, 4] = 1
    made[~is_seen] = 0
    return made


def _extent(is_filled: NDArray[np.uint8]) -> NDArray[np.int64]:
    """From the first to the last of what is filled, [s] of [s, m]; of nothing, 0 or more."""
    length = is_filled.shape[1]
    first = is_filled.argmax(axis=1)
    last = length - 1 - is_filled[:, ::-1].argmax(axis=1)
    return np.asarray(last - first + 1, np.int64)


def _parts(tall: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """White pixels of each frame, and those of its largest part."""
    count, rows, width = tall.shape
    number, _, stats, _ = cv2.connectedComponentsWithStats(
        tall.reshape(count * rows, width), connectivity=8
    )
    areas = np.zeros(count, np.int64)
    largest = np.zeros(count, np.int64)
    if number > 1:
        frame = stats[1:, cv2.CC_STAT_TOP] // rows
        size = stats[1:, cv2.CC_STAT_AREA].astype(np.int64)
        np.add.at(areas, frame, size)
        np.maximum.at(largest, frame, size)
    return areas, largest
