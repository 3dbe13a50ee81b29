"""A walker's body: the lengths of the limbs and how stout each part is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from gait.synthgait.traits import Floats, Trait, draw_person

# Share of the body height, after Winter, Biomechanics and Motor Control of Human Movement, 2009,
# figure 4.1; ankle to sole.
ANKLE_HEIGHT = 0.039


@dataclass(frozen=True, slots=True)
class Body:
    """Proportions of a walker.

    Lengths are shares of the body height and never change; girths are factors on an average
    build, and vary a little from walk to walk as clothes do.
    """

    height_m: Annotated[Floats, Trait(1.70, 0.085, low=1.52, high=1.94)]
    leg: Annotated[Floats, Trait(0.530, 0.013, low=0.495, high=0.565)]
    thigh_share: Annotated[Floats, Trait(0.499, 0.012)]
    hip_width: Annotated[Floats, Trait(0.100, 0.007, low=0.080)]
    shoulder_width: Annotated[Floats, Trait(0.216, 0.013, low=0.180)]
    shoulder_drop: Annotated[Floats, Trait(0.012, 0.008)]
    shoulder_forward: Annotated[Floats, Trait(0.004, 0.010)]
    upper_arm: Annotated[Floats, Trait(0.180, 0.007)]
    forearm: Annotated[Floats, Trait(0.146, 0.006)]
    foot: Annotated[Floats, Trait(0.150, 0.006)]
    neck: Annotated[Floats, Trait(0.072, 0.008, low=0.050)]
    head: Annotated[Floats, Trait(1.0, 0.055, low=0.86, high=1.16)]

    girth: Annotated[Floats, Trait(1.0, 0.085, 0.012, low=0.82, high=1.28)]
    chest: Annotated[Floats, Trait(1.0, 0.055, 0.020)]
    belly: Annotated[Floats, Trait(1.0, 0.110, 0.030, low=0.75, high=1.40)]
    seat: Annotated[Floats, Trait(1.0, 0.070, 0.025)]
    thigh: Annotated[Floats, Trait(1.0, 0.070, 0.025)]
    calf: Annotated[Floats, Trait(1.0, 0.080, 0.020)]
    arm: Annotated[Floats, Trait(1.0, 0.080, 0.030, low=0.75)]
    trouser_hem: Annotated[Floats, Trait(0.0255, 0.0050, 0.0010, low=0.018, high=0.040)]
    hair: Annotated[Floats, Trait(0.45, 0.33, 0.03, low=0.0, high=1.0)]
    hair_length: Annotated[Floats, Trait(0.20, 0.45, low=0.0, high=1.0)]

    @property
    def thigh_m(self) -> float:
        return self._below_hip_m * float(self.thigh_share)

    @property
    def shank_m(self) -> float:
        return self._below_hip_m * (1.0 - float(self.thigh_share))

    @property
    def ankle_m(self) -> float:
        return self.metres(ANKLE_HEIGHT)

    @property
    def head_m(self) -> float:
        """Height of the head, chin to crown."""
        return self.metres(0.130 * self.head)

    @property
    def torso_m(self) -> float:
        """Hip joints to the base of the neck: what legs, neck and head leave over."""
        return float(self.height_m) * (1.0 - float(self.leg + self.neck)) - 0.85 * self.head_m

    def metres(self, share: float | Floats) -> float:
        """A share of the body height in metres."""
        return float(self.height_m * share)

    @property
    def _below_hip_m(self) -> float:
        return self.metres(self.leg - ANKLE_HEIGHT)


def draw_body(rng: np.random.Generator) -> Body:
    """A new walker's body."""
    return draw_person(Body, rng)
