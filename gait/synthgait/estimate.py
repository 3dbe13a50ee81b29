"""The walker's joints in the image, as a pose network would estimate them: with errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gait.synthgait.camera import Camera
from gait.synthgait.figure import Figure
from gait.synthgait.kinematics import Skeleton
from gait.synthgait.traits import Floats

# The joints of COCO, with which a skeleton's begin.
NUM_JOINTS = 17

# Standard deviations of a joint's error as shares of the walker's height in the image. One part
# stays through a clip, so that averaging does not give the true bones away; together 1.2 %.
_LASTING = 0.007
_JITTER = 0.010
# How many times farther off a joint is that has to be guessed.
_GUESSED = 2.0
# Mean confidence of a joint by what the camera sees of it, and the spread around it.
_SEEN, _HIDDEN, _OUTSIDE = 0.93, 0.55, 0.10
_SPREAD = 0.04
# A part of the body hides a joint when it is this much nearer to the camera.
_NEARER_M = 0.03
# A part does not hide the joints that it ends in.
_ENDS_IN_M = 0.01
# Steps of a pixel and of the confidence that are kept: fine enough, and the same on every
# processor whatever its last bits are.
_STEPS_PX = 64.0
_STEPS = 1024.0


def estimate_pose(
    camera: Camera,
    skeleton: Skeleton,
    figure: Figure,
    height_m: float,
    width_px: int,
    height_px: int,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """The joints as they are seen from a camera, float32 [s, 17, 3]: x, y and the confidence.

    Args:
        camera: where it is seen from.
        skeleton: the joints over s frames.
        figure: the body around them, which hides some.
        height_m: the walker's height.
        width_px: of the frame.
        height_px: of the frame.
        rng: of the errors.
    """
    pixels, depth = camera.project(skeleton.joints[:, :NUM_JOINTS])
    inside = ((pixels >= -0.5) & (pixels < [width_px - 0.5, height_px - 0.5])).all(axis=2)
    hidden = _hidden(camera, skeleton, figure, pixels, depth)
    tall_px = camera.focal_px * height_m / depth.mean(axis=1)
    guessed = np.where(hidden | ~inside, _GUESSED, 1.0)[..., None]
    error = _LASTING * rng.standard_normal((NUM_JOINTS, 2))
    error = error + _JITTER * guessed * rng.standard_normal(pixels.shape)
    pixels = pixels + error * tall_px[:, None, None]
    confidence = np.where(inside, np.where(hidden, _HIDDEN, _SEEN), _OUTSIDE)
    confidence = confidence + _SPREAD * rng.standard_normal(confidence.shape)
    return np.concatenate(
        [
            np.rint(pixels * _STEPS_PX) / _STEPS_PX,
            np.rint(np.clip(confidence, 0.01, 0.99) * _STEPS)[..., None] / _STEPS,
        ],
        axis=2,
    ).astype(np.float32)


def _hidden(
    camera: Camera, skeleton: Skeleton, figure: Figure, pixels: Floats, depth: Floats
) -> NDArray[np.bool_]:
    """Whether a part of the figure stands before each joint, [s, 17]."""
    members = figure.members
    corners, part_depth = camera.outlines(figure.centres, figure.axes, members)
    edges = np.roll(corners, -1, axis=2) - corners
    hidden = np.zeros(depth.shape, np.bool_)
    for joint in range(NUM_JOINTS):
        away = np.linalg.norm(figure.centres[0] - skeleton.joints[0, joint], axis=1)
        others = away[members].min(axis=1) > _ENDS_IN_M
        before = (part_depth < depth[:, joint, None] - _NEARER_M) & others
        offset = pixels[:, joint, None, None] - corners
        side = edges[..., 0] * offset[..., 1] - edges[..., 1] * offset[..., 0]
        within = (side >= 0.0).all(axis=2) | (side <= 0.0).all(axis=2)
        hidden[:, joint] = (before & within).any(axis=1)
    return hidden
