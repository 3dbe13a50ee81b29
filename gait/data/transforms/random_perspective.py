"""Looks at a walk from slightly aside."""

from __future__ import annotations

import cv2
import numpy as np

from gait.data.transforms import Silhouettes, checked_probability
from gait.data.transforms._warp import warp


class RandomPerspective:
    """Stretches a random trapezoid to the whole frame, with a given probability.

    The trapezoid's corners lie on the top and the bottom row, moved inwards by fewer than
    (w // 44) * 10 columns each: less than what `CropSides` removes afterwards, so use it before.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        if rng.random() >= self.probability:
            return frames
        _, h, w = frames.shape
        right, bottom = w - 1, h - 1
        moved = rng.integers(max(1, w // 44 * 10), size=4)
        frame = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], dtype=np.float32)
        trapezoid = frame.copy()
        trapezoid[:, 0] += moved * np.array([1, -1, 1, -1])
        source_of = cv2.getPerspectiveTransform(frame, trapezoid)
        return warp(frames, np.asarray(source_of, dtype=np.float64))
