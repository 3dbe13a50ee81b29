"""Stretches or shrinks a walk of point clouds."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._points import Points, moved


class RandomScalePoints:
    """Multiplies the coordinates of all clouds by one factor, with a given probability.

    Use it after `NormalisePoints`; heights stay, as they tell the size of the walker.

    Args:
        min_factor, max_factor: bounds of the factor.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413 (augmentation).
    """

    def __init__(
        self, probability: float = 0.5, min_factor: float = 0.8, max_factor: float = 1.25
    ) -> None:
        self.probability = checked_probability(self, probability)
        self.min_factor = min_factor
        self.max_factor = max_factor

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        if rng.random() >= self.probability:
            return frames
        factor = np.float32(rng.uniform(self.min_factor, self.max_factor))
        return moved(frames, frames[:, :, :3] * factor)
