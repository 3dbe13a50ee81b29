"""Takes some of the points of each cloud."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._points import Points
from gait.ragged import Ragged


class RandomSamplePoints:
    """Draws as many points of each cloud as asked for, with replacement.

    Clouds of any number of points become float32 [s, count, c]. Each has its own draw.

    Args:
        count: points of a cloud afterwards.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, frames: Ragged, rng: np.random.Generator) -> Points:
        chosen = rng.integers(frames.counts[:, None], size=(len(frames), self.count))
        return frames.rows.take(frames.starts[:, None] + chosen, axis=0)
