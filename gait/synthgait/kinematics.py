"""Where the joints of a walker are over time: forward kinematics with the feet on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gait.synthgait.body import Body
from gait.synthgait.motion import Motion
from gait.synthgait.traits import Floats

# The 17 joints of COCO in their order, then those that a figure needs besides.
JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_hand", "right_hand", "left_heel", "right_heel", "left_ball", "right_ball",
    "left_toe", "right_toe", "pelvis", "neck", "head",
)  # fmt: skip
_INDEX = {name: index for index, name in enumerate(JOINTS)}

_OVERSAMPLING = 4
# Over how many metres of height heel and ball, or two feet, share the ground.
_CONTACT_M = 0.008
# Phase in the middle of a foot's stance, which takes the first 62 % of its cycle.
_MIDSTANCE = 0.31 * 2.0 * np.pi
# The foot stands alone from 12 to 50 % of its cycle: cosine of the phase from there to midstance.
_SINGLE_SUPPORT = np.cos(0.19 * 2.0 * np.pi)
# Share of the stance foot's changes of speed that the body follows.
_UNEVENNESS = 0.5


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A walk as joints and the orientation of the stiff parts.

    Coordinates are metres: x the direction of walking, y to the walker's left, z up, the ground
    at z = 0. A rotation's columns are the part's forward, left and up.

    Attributes:
        joints: positions [s, joints, 3] in the order of `JOINTS`.
        pelvis: rotation [s, 3, 3].
        chest: rotation [s, 3, 3].
        head: rotation [s, 3, 3].
        feet: rotations [s, 2, 3, 3], left and right.
    """

    joints: Floats
    pelvis: Floats
    chest: Floats
    head: Floats
    feet: Floats

    def at(self, name: str) -> Floats:
        """Positions [s, 3] of one joint."""
        return self.joints[:, _INDEX[name]]

    def sides(self, name: str) -> Floats:
        """Positions [s, 2, 3] of a joint, left and right."""
        return self.joints[:, [_INDEX[f"left_{name}"], _INDEX[f"right_{name}"]]]

    def placed(self, heading_rad: float, offset_m: Floats) -> Skeleton:
        """The same walk turned around the vertical and moved by `offset_m` [3]."""
        turn = _about_z(np.asarray(heading_rad))
        return Skeleton(
            self.joints @ turn.T + offset_m,
            turn @ self.pelvis,
            turn @ self.chest,
            turn @ self.head,
            turn @ self.feet,
        )


def walk_cycle(body: Body, motion: Motion, frames: int, fps: float, phase: float) -> Skeleton:
    """A walk along x, with the pelvis over the origin at the middle of the clip.

    Args:
        body: the walker's proportions.
        motion: the walker's manner.
        frames: number of frames s.
        fps: frames per second.
        phase: of the left leg at the first frame, radians from its heel strike.
    """
    # Speed comes from the feet, whose velocity needs finer steps than a video has.
    step_s = 1.0 / (fps * _OVERSAMPLING)
    time_s = np.arange((frames - 1) * _OVERSAMPLING + 1) * step_s
    cycle = np.asarray(phase + 2.0 * np.pi * float(motion.cadence_hz) * time_s, np.float64)
    skeleton = _posed(body, motion, cycle)

    height, speed = _supported(skeleton, cycle, step_s)
    advance = np.cumsum(speed) * step_s
    advance -= advance[len(advance) // 2]
    sideways = float(motion.sway_m) * np.sin(cycle)
    skeleton.joints[...] += np.stack([advance, sideways, height], axis=1)[:, None]

    kept = slice(None, None, _OVERSAMPLING)
    return Skeleton(
        skeleton.joints[kept],
        skeleton.pelvis[kept],
        skeleton.chest[kept],
        skeleton.head[kept],
        skeleton.feet[kept],
    )


def _supported(skeleton: Skeleton, cycle: Floats, step_s: float) -> tuple[Floats, Floats]:
    """Height [s] and forward speed [s] of the pelvis that keep the feet on the ground."""
    soles = np.stack([skeleton.sides("heel"), skeleton.sides("ball")], axis=2)
    below = -soles[..., 2]
    lowest = below.max(axis=2)
    near = np.exp((below - lowest[..., None]) / _CONTACT_M)
    near /= near.sum(axis=2, keepdims=True)
    most = lowest.max(axis=1, keepdims=True)
    share = np.exp((lowest - most) / _CONTACT_M)
    height = (share * lowest).sum(axis=1) / share.sum(axis=1)

    # Weight goes from foot to foot during double support, wherever the swinging foot is.
    left = np.clip(0.5 + np.cos(cycle - _MIDSTANCE) / (2.0 * _SINGLE_SUPPORT), 0.0, 1.0)
    carried = np.stack([left, 1.0 - left], axis=1)
    backwards = -(near * np.gradient(soles[..., 0], step_s, axis=0)).sum(axis=2)
    speed = (carried * backwards).sum(axis=1)
    # A body's inertia evens out what stiff limbs would demand.
    return height, speed.mean() + _UNEVENNESS * (speed - speed.mean())


def _posed(body: Body, motion: Motion, cycle: Floats) -> Skeleton:
    """The walker over each phase of the cycle, with the pelvis at the origin."""
    joints = np.zeros((len(cycle), len(JOINTS), 3))
    side = np.array([1.0, -1.0])

    def put(name: str, position: Floats) -> None:
        joints[:, [_INDEX[f"left_{name}"], _INDEX[f"right_{name}"]]] = position

    # Legs. The pelvis turns forward with the swinging leg and drops on its side.
    pelvis = _about_z(-np.radians(motion.pelvis_turn) * np.cos(cycle)) @ _about_x(
        np.radians(motion.pelvis_drop) * np.sin(cycle)
    )
    hip = _along(pelvis, np.outer(side, [0.0, body.metres(body.hip_width) / 2.0, 0.0]))
    angles = motion.leg_angles(cycle)
    length = body.thigh_m + body.shank_m
    outward = np.arcsin(
        np.clip((float(motion.step_width_m) - body.metres(body.hip_width)) / 2.0 / length, -1, 1)
    )
    toe_out = np.radians(motion.toe_out)
    thigh_frame = _about_z(0.4 * side * toe_out) @ _about_x(side * outward)
    shank_frame = _about_z(0.7 * side * toe_out) @ _about_x(
        side * (outward - np.radians(motion.valgus))
    )
    shank_pitch = angles[..., 0] - angles[..., 1]
    knee = hip + body.thigh_m * _hanging(thigh_frame, angles[..., 0])
    ankle = knee + body.shank_m * _hanging(shank_frame, shank_pitch)
    pitch = shank_pitch + angles[..., 2]
    outwards = _about_z(side * toe_out)
    feet = outwards @ _about_y(-pitch)
    # Toes bend when the heel rises.
    toes = outwards @ _about_y(-np.maximum(pitch, 0.35 * pitch - np.radians(6.5)))
    foot, sole = body.metres(body.foot), -body.ankle_m
    put("hip", hip)
    put("knee", knee)
    put("ankle", ankle)
    put("heel", ankle + feet @ np.array([-0.27 * foot, 0.0, sole]))
    ball = ankle + feet @ np.array([0.45 * foot, 0.0, sole])
    put("ball", ball)
    put("toe", ball + toes @ np.array([0.25 * foot, 0.0, 0.0]))

    # Trunk and head; leaning and nodding go twice through a cycle, once with each step.
    lean = np.radians(motion.lean + motion.lean_swing * np.cos(2.0 * cycle - 0.6))
    chest = (
        _about_z(np.radians(motion.chest_turn) * np.cos(cycle))
        @ _about_x(-np.radians(motion.sway) * np.sin(cycle))
        @ _about_y(lean)
    )
    neck = chest @ np.array([0.0, 0.0, body.torso_m])
    bend = lean + np.radians(motion.neck_forward)
    nodding = np.radians(motion.head_pitch + motion.nod * np.cos(2.0 * cycle))
    head = _about_y(nodding)
    skull = neck + _about_y(bend) @ np.array([0.0, 0.0, body.metres(body.neck)])
    skull += head @ np.array([0.0, 0.0, 0.35 * body.head_m])
    face = body.head_m * np.array([0.47, 0.0, -0.12])
    joints[:, _INDEX["neck"]] = neck
    joints[:, _INDEX["head"]] = skull
    joints[:, _INDEX["nose"]] = skull + head @ face
    put("eye", skull[:, None] + _along(head, body.head_m * _mirrored(0.38, 0.13, 0.02)))
    put("ear", skull[:, None] + _along(head, body.head_m * _mirrored(-0.02, 0.33, -0.06)))

    # Arms.
    half = body.metres(body.shoulder_width) / 2.0
    shoulder = neck[:, None] + _along(
        chest,
        _mirrored(body.metres(body.shoulder_forward), half, -body.metres(body.shoulder_drop)),
    )
    swing = motion.arm_angles(cycle)
    arm_frame = chest[:, None] @ _about_x(side * np.radians(motion.arm_out))
    bent_frame = arm_frame @ _about_z(-side * np.radians(motion.elbow_in))
    # The trunk's lean is not the arm's: an arm hangs plumb.
    upper = swing[..., 0] + lean[:, None]
    elbow = shoulder + body.metres(body.upper_arm) * _hanging(arm_frame, upper)
    reach = _hanging(bent_frame, upper + swing[..., 1])
    wrist = elbow + body.metres(body.forearm) * reach
    put("shoulder", shoulder)
    put("elbow", elbow)
    put("wrist", wrist)
    put("hand", wrist + body.metres(0.05) * reach)
    return Skeleton(joints, pelvis, chest, head, feet)


def _mirrored(forward: float, left: float, up: float) -> Floats:
    """A point of the left side and its mirror image, [2, 3]."""
    return np.array([[forward, left, up], [forward, -left, up]])


def _along(frame: Floats, points: Floats) -> Floats:
    """Points [2, 3] given in each of the frames [s, 3, 3]: [s, 2, 3]."""
    return points @ np.swapaxes(frame, -1, -2)


def _hanging(frame: Floats, flexion: Floats) -> Floats:
    """The direction [..., 3] of a limb that hangs in `frame` and is lifted forward."""
    down = np.stack([np.sin(flexion), np.zeros_like(flexion), -np.cos(flexion)], axis=-1)
    turned: Floats = (frame @ down[..., None])[..., 0]
    return turned


def _about_x(angle: Floats) -> Floats:
    return _rotation(angle, 1, 2)


def _about_y(angle: Floats) -> Floats:
    return _rotation(angle, 2, 0)


def _about_z(angle: Floats) -> Floats:
    return _rotation(angle, 0, 1)


def _rotation(angle: Floats, first: int, second: int) -> Floats:
    """Right-handed rotations [..., 3, 3] that turn axis `first` towards axis `second`."""
    angle = np.asarray(angle, np.float64)
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., range(3), range(3)] = 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[..., first, first] = matrix[..., second, second] = cosine
    matrix[..., first, second] = -sine
    matrix[..., second, first] = sine
    return matrix
