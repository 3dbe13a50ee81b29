"""Poses as GaitTR takes them."""

from __future__ import annotations

import numpy as np
import torch

from gait.data.transforms._poses import Poses
from gait.skeleton import derived


class GaitTRInput:
    """Five groups of x and y for each joint: [s, v, 10].

    The place; the place relative to joint 0; the way to the next frame and to the one after it;
    the bone. Confidence is left out.
    """

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        places = torch.from_numpy(poses[..., :2].copy())
        groups: Poses = torch.cat([places, *derived(places, centre=0)], dim=-1).numpy()
        return groups
