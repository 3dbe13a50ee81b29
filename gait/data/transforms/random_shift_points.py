"""Moves a walk of point clouds a little."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._points import Points, moved


class RandomShiftPoints:
    """Adds one offset to the coordinates of all clouds, with a given probability.

    Use it after `NormalisePoints`; heights stay, as the ground moves along.

    Args:
        max_offset: bound of the offset in each direction.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413 (augmentation).
    """

    def __init__(self, probability: float = 0.5, max_offset: float = 0.1) -> None:
        self.probability = checked_probability(self, probability)
        self.max_offset = max_offset

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        if rng.random() >= self.probability:
            return frames
        offset = rng.uniform(-self.max_offset, self.max_offset, 3).astype(np.float32)
        return moved(frames, frames[:, :, :3] + offset)
