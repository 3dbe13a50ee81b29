"""Puts joints that were not found among those that were."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._poses import Poses


class NormalizeEmpty:
    """Moves joints whose x is 0 to the mean of all joints of their frame, with confidence 0.

    Pose estimators write zeros for what they do not see. The mean includes those zeros: published
    weights were trained and tested that way.
    """

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        middle = np.zeros_like(poses[:, :1])
        middle[..., :2] = poses[..., :2].mean(axis=1, keepdims=True)
        return np.where(poses[..., :1] == 0, middle, poses)
