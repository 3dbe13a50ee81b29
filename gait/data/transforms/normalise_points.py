"""Brings point clouds to one place and size."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._points import Points


class NormalisePoints:
    """Moves each cloud's mean to the origin and its farthest point to distance 1.

    Points float32 [s, N, 3 or more] in metres, z upwards, become [s, N, 4], or [s, N, 3] without
    heights; further columns, such as the intensity, are left out. A cloud whose points are all
    the same stays at the origin.

    Args:
        heights: add each point's height above the cloud's lowest point, in metres, which keeps
            the size of the walker.
    """

    def __init__(self, heights: bool = True) -> None:
        self.heights = heights

    def __call__(self, frames: Points, rng: np.random.Generator) -> Points:
        places = frames[:, :, :3]
        centred = places - places.mean(1, keepdims=True)
        farthest = np.sqrt(np.square(centred).sum(2).max(1))[:, None, None]
        result: Points = centred / np.where(farthest > 0, farthest, 1)
        if self.heights:
            z = places[:, :, 2:]
            result = np.concatenate([result, z - z.min(1, keepdims=True)], 2)
        return result.astype(np.float32, copy=False)
