"""Mirrors a walk."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import Silhouettes, checked_probability


class RandomHorizontalFlip:
    """Mirrors all frames left to right, with a given probability."""

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = checked_probability(self, probability)

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        if rng.random() >= self.probability:
            return frames
        return frames[:, :, ::-1]
