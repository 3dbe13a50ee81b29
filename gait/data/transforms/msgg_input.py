"""Poses as MsGG takes them."""

from __future__ import annotations

import numpy as np

from gait.data.transforms._poses import Poses
from gait.skeleton import skeleton_of

# Joints i and i + 6 make a limb: shoulders, an arm, a leg, hips, the other arm, the other leg.
JOINTS = (
    *("right_shoulder", "right_elbow", "right_knee", "right_hip", "left_elbow", "left_knee"),
    *("left_shoulder", "right_wrist", "right_ankle", "left_hip", "left_wrist", "left_ankle"),
)


class MsGGInput:
    """Picks the 12 joints of trunk, arms and legs: [s, 12, 3].

    Args:
        skeleton: take the places that the joints have in the skeleton of so many joints; None for
            the skeleton of the poses. The published configurations come down to 17 for all poses,
            which picks other joints of OUMVLP's 18; weights that were trained that way need it.
    """

    def __init__(self, skeleton: int | None = None) -> None:
        self.skeleton = skeleton

    def __call__(self, poses: Poses, rng: np.random.Generator) -> Poses:
        joints = skeleton_of(self.skeleton or poses.shape[1]).joints
        return poses[:, [joints.index(each) for each in JOINTS]]
