"""The walker's solid figure: body parts, clothes and bag, each the hull of some ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gait.synthgait.body import Body
from gait.synthgait.kinematics import Skeleton
from gait.synthgait.outfit import Outfit
from gait.synthgait.traits import Floats

SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Part:
    """A convex part of the figure.

    Attributes:
        members: the ellipsoids whose convex hull it is.
        colour: key into the outfit's colours.
        nearer_m: how much nearer to the camera it counts when parts are ordered by distance.
    """

    members: tuple[int, ...]
    colour: str
    nearer_m: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A walk as moving ellipsoids.

    Attributes:
        centres: [s, ellipsoids, 3] in metres.
        axes: the semi-axes as columns, [s, ellipsoids, 3, 3], in metres.
        parts: what is drawn.
    """

    centres: Floats
    axes: Floats
    parts: tuple[Part, ...]

    @property
    def members(self) -> NDArray[np.intp]:
        """The ellipsoids of each part, [parts, m], filled up by repeating."""
        most = max(len(part.members) for part in self.parts)
        return np.array(
            [part.members + part.members[-1:] * (most - len(part.members)) for part in self.parts]
        )


@dataclass(slots=True)
class _Builder:
    """Collects ellipsoids and parts of a walk of s frames."""

    frames: int
    centres: list[Floats] = field(default_factory=list)
    axes: list[Floats] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def ball(self, centre: Floats, radius_m: float) -> int:
        return self.ellipsoid(centre, np.eye(3), (radius_m, radius_m, radius_m))

    def ellipsoid(
        self,
        centre: Floats,
        frame: Floats,
        radii_m: tuple[float, float, float],
        offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> int:
        """An ellipsoid with `radii_m` along `frame`, `offset_m` away from `centre` in it."""
        self.centres.append(np.broadcast_to(centre + frame @ np.array(offset_m), (self.frames, 3)))
        self.axes.append(np.broadcast_to(frame * np.array(radii_m), (self.frames, 3, 3)))
        return len(self.centres) - 1

    def part(self, colour: str, *members: int, nearer_m: float = 0.0) -> None:
        self.parts.append(Part(members, colour, nearer_m))

    def figure(self) -> Figure:
        return Figure(np.stack(self.centres, 1), np.stack(self.axes, 1), tuple(self.parts))


def build_figure(body: Body, skeleton: Skeleton, outfit: Outfit) -> Figure:
    """The figure of `body` walking as `skeleton` in `outfit`."""
    builder = _Builder(len(skeleton.joints))
    _add_head(builder, body, skeleton, outfit)
    waist = _add_trunk(builder, body, skeleton, outfit)
    for side in range(2):
        _add_arm(builder, body, skeleton, outfit, side)
        _add_leg(builder, body, skeleton, outfit, side)
    if outfit.coat is not None:
        _add_skirts(builder, body, skeleton, outfit, waist)
    if outfit.bag is not None:
        _add_bag(builder, body, skeleton, outfit)
    return builder.figure()


def _add_head(builder: _Builder, body: Body, skeleton: Skeleton, outfit: Outfit) -> None:
    size, skull, frame = body.head_m, skeleton.at("head"), skeleton.head
    dome = builder.ellipsoid(
        skull, frame, (0.41 * size, 0.33 * size, 0.40 * size), (-0.02 * size, 0.0, 0.10 * size)
    )
    chin = builder.ellipsoid(
        skull, frame, (0.20 * size, 0.22 * size, 0.14 * size), (0.18 * size, 0.0, -0.36 * size)
    )
    builder.part("skin", dome, chin)
    nose = builder.ball(skeleton.at("nose"), 0.055 * size)
    builder.part("skin", nose, nearer_m=-0.02)

    thick = 1.04 + 0.16 * float(body.hair)
    cap = builder.ellipsoid(
        skull,
        frame,
        (0.39 * size * thick, 0.335 * size * thick, 0.34 * size * thick),
        (-0.07 * size, 0.0, 0.21 * size),
    )
    # The cap covers the dome from above and behind, the face stays free below.
    builder.part("hair", cap, nearer_m=-0.01)
    if float(body.hair_length) > 0.35:
        fall = (0.12 + 0.10 * float(body.hair)) * size
        top = builder.ellipsoid(skull, frame, (fall, 0.30 * size, fall), (-0.30 * size, 0.0, 0.0))
        end = builder.ellipsoid(
            skull,
            frame,
            (0.7 * fall, 0.22 * size, 0.7 * fall),
            (-0.34 * size, 0.0, -(0.15 + 0.75 * float(body.hair_length)) * size),
        )
        builder.part("hair", top, end)

    radius = body.metres(0.029 * body.girth)
    base = skeleton.at("neck") - skeleton.chest @ np.array([0.0, 0.0, 0.03])
    top = builder.ellipsoid(
        skull, frame, (0.9 * radius, 0.9 * radius, radius), (-0.06 * size, 0.0, -0.3 * size)
    )
    builder.part("skin", builder.ball(base, 1.1 * radius), top, nearer_m=-0.04)
    if outfit.coat is not None:
        collar = builder.ball(skeleton.at("neck"), 1.7 * radius)
        builder.part("coat", collar, nearer_m=0.02)
        if outfit.coat.hood == "down":
            hood = builder.ellipsoid(
                skeleton.at("neck"),
                skeleton.chest,
                (0.05 * outfit.coat.bulk, 0.11, 0.07),
                (-0.075, 0.0, 0.0),
            )
            builder.part("coat", hood, nearer_m=0.03)
        elif outfit.coat.hood == "up":
            over = builder.ellipsoid(
                skull,
                frame,
                (0.50 * size, 0.46 * size, 0.50 * size),
                (-0.10 * size, 0.0, 0.14 * size),
            )
            nape = builder.ellipsoid(
                skull,
                frame,
                (0.30 * size, 0.42 * size, 0.25 * size),
                (-0.22 * size, 0.0, -0.45 * size),
            )
            builder.part("coat", over, nape, nearer_m=-0.005)


def _add_trunk(builder: _Builder, body: Body, skeleton: Skeleton, outfit: Outfit) -> int:
    """Adds shoulders, chest, waist and seat; returns the ellipsoid of the waist."""
    coat = outfit.coat
    girth = float(body.girth) * (1.0 if coat is None else coat.bulk)
    depth, wide = body.metres(girth), body.metres(0.5 + 0.5 * girth)
    chest, belly, seat = float(body.chest), float(body.belly), float(body.seat)
    neck, frame, torso = skeleton.at("neck"), skeleton.chest, body.torso_m
    upper = "shirt" if coat is None else "coat"

    half = 0.5 * body.metres(body.shoulder_width) * (1.0 if coat is None else coat.shoulders)
    shoulders = builder.ellipsoid(
        neck,
        frame,
        (0.050 * depth * chest, half + 0.012 * wide, 0.030 * depth),
        (0.5 * body.metres(body.shoulder_forward), 0.0, -0.035 * float(body.height_m)),
    )
    ribs = builder.ellipsoid(
        neck,
        frame,
        (0.066 * depth * chest, 0.092 * wide * chest, 0.085 * wide),
        (0.006 * depth, 0.0, -0.36 * torso),
    )
    middle = builder.ellipsoid(
        neck,
        frame,
        (0.058 * depth * belly, 0.078 * wide * belly, 0.060 * wide),
        (0.016 * depth * (belly - 0.8), 0.0, -0.68 * torso),
    )
    hips = builder.ellipsoid(
        skeleton.at("pelvis"),
        skeleton.pelvis,
        (0.064 * depth * seat, 0.086 * wide * seat, 0.058 * wide),
        (-0.016 * depth * seat, 0.0, 0.025 * float(body.height_m)),
    )
    builder.part(upper, shoulders, ribs)
    builder.part(upper, ribs, middle)
    builder.part("trousers" if coat is None else "coat", middle, hips, nearer_m=-0.02)
    yoke = builder.ball(neck - frame @ np.array([0.0, 0.0, 0.01]), 0.030 * depth)
    builder.part(upper, yoke, shoulders, nearer_m=-0.01)
    return middle


def _add_arm(builder: _Builder, body: Body, skeleton: Skeleton, outfit: Outfit, side: int) -> None:
    coat = outfit.coat
    girth = body.metres(body.arm * (0.4 + 0.6 * body.girth))
    sleeve = girth * (1.0 if coat is None else 1.05 * coat.bulk)
    upper = "shirt" if coat is None else "coat"
    lower = "skin" if coat is None and outfit.short_sleeves else upper
    shoulder, elbow, wrist, hand = (
        skeleton.sides(name)[:, side] for name in ("shoulder", "elbow", "wrist", "hand")
    )
    bend = builder.ball(elbow, 0.0215 * sleeve)
    builder.part(upper, builder.ball(shoulder, 0.0300 * sleeve), bend, nearer_m=0.01)
    cuff = 0.0150 * girth if lower == "skin" else 0.0175 * sleeve
    builder.part(lower, bend, builder.ball(wrist, cuff), nearer_m=0.01)
    palm = body.metres(0.0165)
    builder.part("skin", builder.ball(wrist, 0.8 * palm), builder.ball(hand, 1.1 * palm))


def _add_leg(builder: _Builder, body: Body, skeleton: Skeleton, outfit: Outfit, side: int) -> None:
    girth = body.metres(0.35 + 0.65 * body.girth)
    hip, knee, ankle, heel, ball, toe = (
        skeleton.sides(name)[:, side] for name in ("hip", "knee", "ankle", "heel", "ball", "toe")
    )
    thigh, calf = float(body.thigh), float(body.calf)
    hem = body.metres(body.trouser_hem)
    bend = builder.ball(knee, max(0.0325 * girth * (0.5 + 0.5 * thigh), 0.95 * hem))
    # A coat hangs over the thighs, however far forward they are.
    under = 0.0 if outfit.coat is None else -0.25
    builder.part("trousers", builder.ball(hip, 0.0500 * girth * thigh), bend, nearer_m=under)
    foot = skeleton.feet[:, side]
    shank = knee - ankle
    back = foot @ np.array([-0.010 * girth, 0.0, 0.0])
    muscle = builder.ball(knee - 0.28 * shank + back, 0.0320 * girth * calf)
    end = builder.ball(ankle, hem)
    builder.part("trousers", bend, muscle, end)

    sole = body.metres(0.016)
    up = np.array([0.0, 0.0, 1.0])
    behind = builder.ellipsoid(heel + sole * up, foot, (1.3 * sole, 1.3 * sole, sole))
    before = builder.ellipsoid(ball + 0.9 * sole * up, foot, (1.3 * sole, 1.9 * sole, 0.9 * sole))
    tip = builder.ball(toe + 0.7 * sole * up, 0.7 * sole)
    instep = builder.ball(ankle, 0.021 * body.metres(1.0))
    builder.part("shoes", behind, before, instep, nearer_m=-0.01)
    builder.part("shoes", before, tip, nearer_m=-0.01)


def _add_skirts(
    builder: _Builder, body: Body, skeleton: Skeleton, outfit: Outfit, waist: int
) -> None:
    """The lower half of a coat: it hangs over both thighs and spreads with the stride."""
    coat = outfit.coat
    assert coat is not None
    girth = body.metres(0.35 + 0.65 * body.girth)
    hip, knee = skeleton.sides("hip"), skeleton.sides("knee")
    share = coat.hem
    radius = 0.048 * girth * float(body.thigh) * coat.flare
    middle = hip.mean(axis=1, keepdims=True)
    hem = hip + min(share, 1.0) * (knee - hip)
    # Cloth is stiffer than legs: the hem follows the thighs only in part.
    hem = middle + (hem - middle) * np.array([0.88, 1.0, 1.0])
    hem[..., 2] -= max(share - 1.0, 0.0) * body.thigh_m
    seats = [builder.ball(hip[:, side], 0.053 * girth * coat.bulk) for side in range(2)]
    ends = [
        builder.ellipsoid(hem[:, side], np.eye(3), (radius, 0.95 * radius, 0.03))
        for side in range(2)
    ]
    builder.part("coat", waist, *seats, *ends, nearer_m=0.10)


def _add_bag(builder: _Builder, body: Body, skeleton: Skeleton, outfit: Outfit) -> None:
    bag = outfit.bag
    assert bag is not None
    size, frame = bag.size, skeleton.chest
    girth = float(body.girth)
    sign = 1.0 - 2.0 * bag.side
    upright = np.array([0.0, 0.0, 1.0])
    if bag.kind == "backpack":
        behind = -(0.058 * float(body.height_m) * girth + 0.065 * size)
        corners = [
            builder.ellipsoid(
                skeleton.at("neck"), frame, (0.075 * size, 0.06, 0.07), (behind, y, z)
            )
            for y in (-0.08 * size, 0.08 * size)
            for z in (-0.10, -0.10 - 0.26 * size)
        ]
        builder.part("bag", *corners)
        for each in range(2):
            shoulder = skeleton.sides("shoulder")[:, each]
            inwards = skeleton.at("neck") - shoulder
            strap = shoulder + 0.45 * inwards
            front = strap + frame @ np.array([0.075 * girth, 0.0, -0.22])
            builder.part(
                "bag",
                builder.ball(strap + 0.03 * upright, 0.02),
                builder.ball(front, 0.018),
                nearer_m=0.03,
            )
    elif bag.kind == "shoulder bag":
        hip = skeleton.at("pelvis")
        out = sign * (0.095 * float(body.height_m) * (0.5 + 0.5 * girth) + 0.05 * size)
        flat = skeleton.pelvis
        corners = [
            builder.ellipsoid(hip, flat, (0.05, 0.055 * size, 0.05), (x, out, z))
            for x in (-0.12 * size, 0.10 * size)
            for z in (-0.10, -0.10 + 0.20 * size)
        ]
        builder.part("bag", *corners, nearer_m=0.04)
        shoulder = skeleton.sides("shoulder")[:, 1 - bag.side]
        top = shoulder + 0.35 * (skeleton.at("neck") - shoulder)
        low = hip + flat @ np.array([0.0, out, 0.12 * size])
        builder.part(
            "bag",
            builder.ball(top + 0.04 * upright, 0.018),
            builder.ball(low, 0.018),
            nearer_m=0.1,
        )
    else:
        hand = skeleton.sides("hand")[:, bag.side]
        low = np.array([0.0, 0.0, -0.14])
        corners = [
            builder.ellipsoid(
                hand + low, np.eye(3), (0.045, 0.05 * size, 0.045), (x * size, 0.0, z * size)
            )
            for x in (-0.13, 0.13)
            for z in (-0.20, 0.0)
        ]
        builder.part("bag", *corners)
        for x in (-0.08, 0.08):
            handle = builder.ball(hand + low + np.array([x * size, 0.0, 0.0]), 0.010)
            builder.part("bag", builder.ball(hand, 0.012), handle)
