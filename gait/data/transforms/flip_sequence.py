"""Walks backwards."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import checked_probability
from gait.data.transforms._poses import Poses


class FlipSequence:
    """Reverses the order of the frames, with a given probability."""

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        if rng.random() >= self.probability:
            return poses
        return poses[::-1]
