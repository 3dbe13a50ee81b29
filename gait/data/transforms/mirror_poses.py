"""Mirrors poses."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._poses import Poses


class MirrorPoses:
    """Mirrors every pose left to right about its own middle, with a given probability.

    Joints keep their names, so it is the walker seen from the opposite side.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        if rng.random() >= self.probability:
            return poses
        mirrored = poses.copy()
        mirrored[..., 0] = 2 * poses[..., 0].mean(axis=1, keepdims=True) - poses[..., 0]
        return mirrored
