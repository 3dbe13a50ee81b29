"""Moves a walk of point clouds a little."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._points import Points, moved


class RandomShiftPoints:
    """Adds one offset to the coordinates of all clouds, with a given probability.

    Use it after `NormalisePoints`; heights stay, as the ground moves along.

    Args:
        largest: bound of the offset in each direction.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413 (augmentation).
    """

    def __init__(self, probability: float = 0.5, largest: float = 0.1) -> None:
        self.probability = checked_probability(self, probability)
        self.largest = largest

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        if rng.random() >= self.probability:
            return frames
        offset = rng.uniform(-self.largest, self.largest, 3).astype(np.float32)
        return moved(frames, frames[:, :, :3] + offset)
