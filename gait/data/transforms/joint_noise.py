"""Draws a skeleton of slightly other proportions."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._poses import Poses


class JointNoise:
    """Shifts each joint by a random distance in x and y, the same in all frames.

    Args:
        std: standard deviation of the distance, in the unit of the poses.
    """

    def __init__(self, std: float = 0.25) -> None:
        self.std = std

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        noisy = poses.copy()
        noisy[..., :2] += rng.normal(0, self.std, (poses.shape[1], 2)).astype(poses.dtype)
        return noisy
