"""Mirrors a walk of point clouds."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._points import Points


class RandomFlipPoints:
    """Mirrors all clouds left to right, y to -y, with a given probability.

    Use it after `NormalisePoints`; heights stay.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        if rng.random() >= self.probability:
            return frames
        mirrored = frames.copy()
        mirrored[:, :, 1] *= -1
        return mirrored
