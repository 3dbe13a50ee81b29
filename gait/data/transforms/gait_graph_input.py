"""Poses as GaitGraph2 takes them."""

from __future__ import annotations

import numpy as np
import torch

from gait.data.transforms._poses import Poses
from gait.skeleton import graph_streams


class GaitGraphInput:
    """Joints, motion and bones, three streams of five channels: [s, v, 15].

    Args:
        centre: the joint that others are relative to. Published weights were trained with joint 0
            for every skeleton, also where the skeleton's centre is another one.
    """

    def __init__(self, centre: int = 0) -> None:
        self.centre = centre

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        streams: Poses = graph_streams(torch.from_numpy(poses.copy()), self.centre).numpy()
        return streams
