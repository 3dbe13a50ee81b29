"""Moves a walk to another place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gait.data.transforms._poses import Poses


class RandomMove:
    """Shifts all joints of all frames by one random distance.

    Args:
        reach: the farthest in x and in y, in the unit of the poses.
    """

    def __init__(self, reach: Sequence[float] = (4, 1)) -> None:
        self.reach = np.array(reach, dtype=np.float64)

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        moved = poses.copy()
        moved[..., :2] += rng.uniform(-self.reach, self.reach).astype(poses.dtype)
        return moved
