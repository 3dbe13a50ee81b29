"""Mistakes left for right."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._poses import Poses
from gait.skeleton import skeleton_of


class InversePoses:
    """Exchanges the names of left and right joints, as pose estimators do now and then.

    Args:
        probability: the share of frames, each decided by itself.
    """

    def __init__(self, probability: float = 0.1) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        inverted = rng.random(len(poses)) < self.probability
        exchanged = poses[:, skeleton_of(poses.shape[1]).mirrored]
        return np.where(inverted[:, None, None], exchanged, poses)
