"""Blurs the surface of point clouds."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._points import Points, moved


class RandomJitterPoints:
    """Moves each point by noise of its own, with a given probability.

    Use it after `NormalisePoints`; heights stay.

    Args:
        deviation: standard deviation of the noise in each direction.
        max_offset: bound of the noise in each direction.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413 (augmentation).
    """

    def __init__(
        self, probability: float = 0.5, deviation: float = 0.01, max_offset: float = 0.05
    ) -> None:
        self.probability = checked_probability(self, probability)
        self.deviation = deviation
        self.max_offset = max_offset

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        if rng.random() >= self.probability:
            return frames
        noise = rng.standard_normal((*frames.shape[:2], 3), dtype=np.float32)
        noise = np.clip(noise * self.deviation, -self.max_offset, self.max_offset)
        return moved(frames, frames[:, :, :3] + noise)
