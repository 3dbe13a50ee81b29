"""What a walker wears and carries, and how that changes the way of walking."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from gait.synthgait.motion import Motion
from gait.synthgait.traits import Floats

Colour = tuple[float, float, float]

BAGS = ("backpack", "shoulder bag", "handbag")
HOODS = ("none", "down", "up")


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag: one of `BAGS`, on side 0 (left) or 1 (right), its size a factor on a usual one."""

    kind: str
    side: int
    size: float


@dataclass(frozen=True, slots=True)
class Coat:
    """A coat.

    Attributes:
        hem: how far down the thigh it reaches, 1 at the knee.
        bulk: thickness of the padding as a factor on the girth of trunk and arms.
        flare: width of the hem as a factor on the thigh.
        shoulders: width of the shoulders as a factor.
        hood: 'none', 'down' on the neck or 'up' on the head.
        stiffness: share of the swing of thighs and arms that it takes.
    """

    hem: float
    bulk: float
    flare: float
    shoulders: float
    hood: str
    stiffness: float


@dataclass(frozen=True, slots=True)
class Outfit:
    """Colours (blue, green, red from 0 to 255) of what can be seen, a bag and a coat or none."""

    colours: dict[str, Colour]
    short_sleeves: bool
    bag: Bag | None = None
    coat: Coat | None = None


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """What a person wears in the `nm` walks."""
    tan = rng.uniform(0.0, 1.0)
    hair = rng.uniform(0.0, 1.0)
    return Outfit(
        {
            "skin": (165.0 - 95.0 * tan, 185.0 - 95.0 * tan, 228.0 - 85.0 * tan),
            "hair": (22.0 + 30.0 * hair, 26.0 + 45.0 * hair, 30.0 + 75.0 * hair),
            "shirt": _cloth(rng, light=0.40),
            "trousers": _cloth(rng, light=0.12),
            "shoes": _cloth(rng, light=0.25),
        },
        short_sleeves=bool(rng.random() < 0.3),
    )


def dressed(usual: Outfit, condition: str, rng: np.random.Generator) -> Outfit:
    """The outfit of one walk: `usual`, a little faded, with a bag or a coat by `condition`."""
    fade = rng.normal(1.0, 0.05)
    colours = {
        part: _clipped(np.asarray(colour) * fade + rng.normal(0.0, 3.0, 3))
        for part, colour in usual.colours.items()
    }
    bag = coat = None
    if condition == "bg":
        kind = BAGS[rng.choice(len(BAGS), p=(0.45, 0.35, 0.20))]
        bag = Bag(kind, int(rng.integers(2)), float(rng.uniform(0.70, 1.05)))
        colours["bag"] = _cloth(rng, light=0.15)
    elif condition == "cl":
        coat = Coat(
            hem=float(rng.uniform(0.55, 1.25)),
            bulk=float(rng.uniform(1.08, 1.60)),
            flare=float(rng.uniform(1.05, 1.85)),
            shoulders=float(rng.uniform(1.00, 1.22)),
            hood=HOODS[rng.choice(len(HOODS), p=(0.3, 0.3, 0.4))],
            stiffness=float(rng.uniform(0.0, 0.30)),
        )
        colours["coat"] = _cloth(rng, light=0.25)
    return replace(usual, colours=colours, bag=bag, coat=coat)


def burdened(motion: Motion, outfit: Outfit) -> Motion:
    """How `motion` changes under a bag or in a coat."""
    swing, elbow, out, lean, stride = np.ones(2), np.zeros(2), np.zeros(2), 0.0, 1.0
    bag = outfit.bag
    if bag is not None and bag.kind == "backpack":
        swing[:], lean = 0.9, 2.5 * bag.size
        # A hand on the strap.
        swing[bag.side], elbow[bag.side] = 0.6, 15.0
    elif bag is not None and bag.kind == "shoulder bag":
        swing[bag.side], elbow[bag.side], out[bag.side] = 0.45, 8.0, 4.0
    elif bag is not None:
        swing[bag.side], elbow[bag.side], out[bag.side] = 0.5, -8.0, 2.0
    if outfit.coat is not None:
        stride = 1.0 - 0.5 * outfit.coat.stiffness
        swing *= 1.0 - outfit.coat.stiffness
        out += 14.0 * (outfit.coat.bulk - 1.0)
    return replace(
        motion,
        hip_swing=motion.hip_swing * stride,
        arm_swing=motion.arm_swing * swing,
        elbow=np.maximum(motion.elbow + elbow, 4.0),
        arm_out=motion.arm_out + out,
        lean=motion.lean + lean,
    )


def _cloth(rng: np.random.Generator, light: float) -> Colour:
    """A colour of cloth, dark or, with probability `light`, bright: rooms are in between."""
    hue, saturation = rng.uniform(0.0, 1.0), rng.uniform(0.1, 0.8)
    if rng.random() < light:
        saturation, value = 0.5 * saturation, rng.uniform(0.86, 0.98)
    else:
        value = rng.uniform(0.12, 0.34)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return (255.0 * blue, 255.0 * green, 255.0 * red)


def _clipped(colour: Floats) -> Colour:
    blue, green, red = np.clip(colour, 6.0, 249.0).tolist()
    return (blue, green, red)
