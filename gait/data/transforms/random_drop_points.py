"""Thins out point clouds."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._points import Points


class RandomDropPoints:
    """Replaces a random share of each cloud's points by its first point, with a probability.

    The number of points stays, and the first point is never dropped.

    Args:
        max_ratio: bound of the share, which is drawn once for all clouds.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413, section 3.3 (random dropout).
    """

    def __init__(self, probability: float = 0.5, max_ratio: float = 0.875) -> None:
        self.probability = checked_probability(self, probability)
        self.max_ratio = max_ratio

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        if rng.random() >= self.probability:
            return frames
        share = rng.uniform(0, self.max_ratio)
        dropped = rng.random(frames.shape[:2]) < share
        return np.where(dropped[:, :, None], frames[:, :1], frames)
