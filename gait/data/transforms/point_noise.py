"""Locates joints less exactly."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._poses import Poses


class PointNoise:
    """Shifts each joint of each frame by a random distance in x and y.

    Args:
        std: standard deviation of the distance, in the unit of the poses.
    """

    def __init__(self, std: float = 0.05) -> None:
        self.std = std

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        noisy = poses.copy()
        noisy[..., :2] += rng.normal(0, self.std, noisy[..., :2].shape).astype(poses.dtype)
        return noisy
