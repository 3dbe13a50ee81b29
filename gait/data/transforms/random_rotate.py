"""Tilts a walk."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import Silhouettes, checked_probability
from gait.data.transforms._warp import warp


class RandomRotate:
    """Turns all frames by one angle about the centre of the frame, with a given probability.

    The published code gives the centre as (rows / 2, columns / 2) where (x, y) is wanted, which
    also shifts frames that are not square; here it is the centre.

    Args:
        degrees: the angle is drawn uniformly from minus to plus this many degrees.
    """

    def __init__(self, probability: float = 0.5, degrees: float = 10) -> None:
        self.probability = checked_probability(self, probability)
        self.degrees = degrees

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        if rng.random() >= self.probability:
            return frames
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees))
        _, h, w = frames.shape
        x, y = (w - 1) / 2, (h - 1) / 2
        cos, sin = np.cos(angle), np.sin(angle)
        source_of = np.array(
            [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]]
        )
        return warp(frames, source_of)
