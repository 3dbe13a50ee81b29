"""Shears, scales and shifts a walk a little."""

from __future__ import annotations

import cv2
import numpy as np

from gait.data.transforms import Silhouettes, checked_probability
from gait.data.transforms._warp import warp


class RandomAffine:
    """Moves all frames by one random affine map, with a given probability.

    The map takes three points near the upper left, upper right and lower left corner to three
    others near the same corners. Each point lies inwards of its corner by fewer than
    (h // 64) * 10 pixels in x and in y. The published code swaps width and height of the corners;
    here x belongs to the width.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        if rng.random() >= self.probability:
            return frames
        _, h, w = frames.shape
        corners = np.array([[0, 0], [w - 1, 0], [0, h - 1]])
        inwards = np.array([[1, 1], [-1, 1], [1, -1]])
        moved = rng.integers(max(1, h // 64 * 10), size=(2, 3, 2))
        before, after = (corners + inwards * moved).astype(np.float32)
        source_of = np.vstack([cv2.getAffineTransform(after, before), [0, 0, 1]])
        return warp(frames, source_of)
