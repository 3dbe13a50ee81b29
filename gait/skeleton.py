"""The joints of a pose: their names, what connects them, and what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from gait.errors import DataError


@dataclass(frozen=True)
class Skeleton:
    """A set of joints in a fixed order.

    Attributes:
        joints: names; sides are the walker's own.
        edges: pairs of joints that a bone, or the outline of the head or trunk, connects.
        centre: the joint that stands for the middle.
        connected: for each joint the one that its bone comes from.
    """

    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    centre: int
    connected: tuple[int, ...]

    @cached_property
    def mirrored(self) -> list[int]:
        """For each joint its counterpart on the other side, itself in the middle."""
        return [self.joints.index(_other_side(each)) for each in self.joints]


def _other_side(joint: str) -> str:
    side, _, rest = joint.partition("_")
    other = {"left": "right", "right": "left"}.get(side)
    return f"{other}_{rest}" if other else joint


_LIMBS = (
    "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
)

# The published graphs, which pose models' weights depend on; a skeleton is told by its size.
_SKELETONS = {
    # COCO without the head. Where bones come from is not as published: of that list, half of the
    # bones ended at joints that are not connected.
    12: Skeleton(
        joints=tuple(_LIMBS.split()),
        edges=(
            (0, 1),
            (0, 2),
            (2, 4),
            (1, 3),
            (3, 5),
            (0, 6),
            (1, 7),
            (6, 7),
            (6, 8),
            (8, 10),
            (7, 9),
            (9, 11),
        ),
        centre=0,
        connected=(1, 0, 0, 1, 2, 3, 0, 1, 6, 7, 8, 9),
    ),
    # COCO.
    17: Skeleton(
        joints=("nose", "left_eye", "right_eye", "left_ear", "right_ear", *_LIMBS.split()),
        edges=(
            (0, 1),
            (0, 2),
            (1, 3),
            (2, 4),
            (3, 5),
            (4, 6),
            (5, 6),
            (5, 7),
            (7, 9),
            (6, 8),
            (8, 10),
            (5, 11),
            (6, 12),
            (11, 12),
            (11, 13),
            (13, 15),
            (12, 14),
            (14, 16),
        ),
        centre=0,
        connected=(5, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    ),
    # OpenPose, and AlphaPose as OUMVLP-Pose has it.
    18: Skeleton(
        joints=(
            "nose",
            "neck",
            "right_shoulder",
            "right_elbow",
            "right_wrist",
            "left_shoulder",
            "left_elbow",
            "left_wrist",
            "right_hip",
            "right_knee",
            "right_ankle",
            "left_hip",
            "left_knee",
            "left_ankle",
            "right_eye",
            "left_eye",
            "right_ear",
            "left_ear",
        ),
        edges=(
            (0, 1),
            (0, 14),
            (0, 15),
            (14, 16),
            (15, 17),
            (1, 2),
            (2, 3),
            (3, 4),
            (1, 5),
            (5, 6),
            (6, 7),
            (1, 8),
            (8, 9),
            (9, 10),
            (1, 11),
            (11, 12),
            (12, 13),
        ),
        centre=1,
        connected=(1, 1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15),
    ),
}


def skeleton_of(num_joints: int) -> Skeleton:
    """The skeleton of poses with so many joints.

    Raises:
        DataError: no skeleton of that size is known.
    """
    if num_joints not in _SKELETONS:
        raise DataError(
            f"poses have {num_joints} joints, expected 17 (COCO), 18 (OpenPose) or 12 (COCO "
            "without the head); change the pose files, or the transforms that pick joints"
        )
    return _SKELETONS[num_joints]


class Derived(NamedTuple):
    """What follows from the places of the joints, each [..., s, v, 2].

    Attributes:
        relative: from the centre joint of the same frame.
        step, stride: to the next frame and to the one after it; zero in the last two frames.
        bone: from the joint that the bone comes from.
    """

    relative: Tensor
    step: Tensor
    stride: Tensor
    bone: Tensor


def derived(places: Tensor, centre: int) -> Derived:
    """Differences in space and time of joints at `places` [..., s, v, 2]."""
    connected = list(skeleton_of(places.shape[-2]).connected)
    step, stride = torch.zeros_like(places), torch.zeros_like(places)
    step[..., :-2, :, :] = places[..., 1:-1, :, :] - places[..., :-2, :, :]
    stride[..., :-2, :, :] = places[..., 2:, :, :] - places[..., :-2, :, :]
    return Derived(
        relative=places - places[..., centre : centre + 1, :],
        step=step,
        stride=stride,
        bone=places - places[..., connected, :],
    )


def graph_streams(poses: Tensor, centre: int) -> Tensor:
    """Three streams of five channels, the input of GaitGraph2.

    Joints: x, y, confidence, and the place relative to the centre. Motion: one step, then zero,
    confidence and the y of two steps. Bones: the bone, then zero, confidence and the angle of the
    bone to the y axis. Published weights depend on the confidence standing where the x of two
    steps and the angle to the x axis were meant to be.

    Args:
        poses: x, y and confidence, [..., s, v, 3].
        centre: the joint that others are relative to.

    Returns:
        [..., s, v, 15], stream by stream.
    """
    places, confidence = poses[..., :2], poses[..., 2:]
    found = derived(places, centre)
    length = found.bone.square().sum(-1, keepdim=True).sqrt()
    angle = torch.arccos(found.bone[..., 1:] / (length + 1e-4))
    none = torch.zeros_like(confidence)
    return torch.cat(
        [
            *(places, confidence, found.relative),
            *(found.step, none, confidence, found.stride[..., 1:]),
            *(found.bone, none, confidence, angle),
        ],
        dim=-1,
    )
