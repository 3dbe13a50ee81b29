"""Thickens a band of the body."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from gait.data.transforms import Silhouettes, checked_probability
from gait.data.transforms._bands import Band

_SHAPES = (cv2.MORPH_RECT, cv2.MORPH_CROSS, cv2.MORPH_ELLIPSE)
_SIZES = (3, 5)


class RandomPartDilate:
    """Dilates a band of rows of all frames, with a given probability, as a loose garment would.

    The kernel is a square, a cross or an ellipse of 3 or 5 pixels; the band is the same in all
    frames.

    Args:
        top: first row of the band, drawn from this range, both ends included.
        bottom: row after its last one, likewise.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos,
    TPAMI 2023, arXiv 2206.13964, section 4.1.
    """

    def __init__(
        self,
        probability: float = 0.5,
        top: Sequence[int] = (12, 16),
        bottom: Sequence[int] = (36, 40),
    ) -> None:
        self.probability = checked_probability(self, probability)
        self.band = Band(self, top, bottom)

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        if rng.random() >= self.probability:
            return frames
        rows = self.band.draw(frames, rng)
        size = int(rng.choice(_SIZES))
        kernel = cv2.getStructuringElement(int(rng.choice(_SHAPES)), (size, size))
        part = frames[:, rows]
        s, h, w = part.shape
        # Below each other with empty rows between, so that one call dilates all and none
        # reaches its neighbour.
        gap = size // 2
        stacked = np.zeros((s, h + gap, w), np.uint8)
        stacked[:, :h] = part
        thick = cv2.dilate(stacked.reshape(-1, w), kernel).reshape(s, h + gap, w)
        result = frames.copy()
        result[:, rows] = thick[:, :h]
        return result
