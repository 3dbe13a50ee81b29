"""Takes some of the points of each cloud."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._points import Points


class RandomSamplePoints:
    """Draws as many points of each cloud as asked for, with replacement.

    Args:
        count: points of a cloud afterwards.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        chosen = rng.integers(frames.shape[1], size=(len(frames), self.count))
        return np.take_along_axis(frames, chosen[:, :, None], 1)
