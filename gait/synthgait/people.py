"""Draws the people of a population and their walks, each from its own generator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from gait.config.dataset import Population
from gait.synthgait.body import Body, draw_body
from gait.synthgait.figure import Figure, build_figure
from gait.synthgait.kinematics import Skeleton, walk_cycle
from gait.synthgait.motion import Motion, draw_motion
from gait.synthgait.outfit import Outfit, burdened, draw_outfit, dressed
from gait.synthgait.traits import draw_again

CONDITIONS = ("nm", "bg", "cl")
_USUAL_CADENCE_HZ = 0.95
# People are less themselves under a load, and in clothes they rarely wear.
_UNSTEADINESS = {"nm": 1.25, "bg": 1.6, "cl": 2.4}


class Purpose(IntEnum):
    """What a generator is for; part of its key, so that no two purposes share a stream."""

    PERSON = 0
    WALK = 1
    CLIP = 2
    ROOM = 3
    VISIT = 4
    NOISE = 5
    POSE = 6


@dataclass(frozen=True, slots=True)
class Person:
    """A subject: constant body and manner of walking, usual clothes."""

    body: Body
    motion: Motion
    outfit: Outfit


@dataclass(frozen=True, slots=True)
class Take:
    """One walk of a subject, the same for every camera.

    Attributes:
        condition: condition and number, such as 'nm-01'.
        key: the numbers that stand for it in a generator's key.
        outfit: what is worn and carried.
        skeleton: the joints, placed in the room.
        figure: the body around them.
        height_m: the walker's height.
    """

    condition: str
    key: tuple[int, int]
    outfit: Outfit
    skeleton: Skeleton
    figure: Figure
    height_m: float


def generator(population: Population, purpose: Purpose, *key: int) -> np.random.Generator:
    """The random numbers for one purpose and one thing."""
    return np.random.default_rng([population.seed, purpose, *key])


def draw_subject(population: Population, subject: int) -> Person:
    """The person with number `subject`."""
    rng = generator(population, Purpose.PERSON, subject)
    return Person(draw_body(rng), draw_motion(rng), draw_outfit(rng))


def draw_takes(population: Population, subject: int) -> list[Take]:
    """All walks of subject number `subject`."""
    person = draw_subject(population, subject)
    return [
        _draw_take(population, person, subject, condition, number)
        for condition, count in population.sequences.items()
        for number in range(1, count + 1)
    ]


def _draw_take(
    population: Population, person: Person, subject: int, condition: str, number: int
) -> Take:
    kind = CONDITIONS.index(condition)
    rng = generator(population, Purpose.WALK, subject, kind, number)
    outfit = dressed(person.outfit, condition, rng)
    unsteadiness = _UNSTEADINESS[condition]
    body = draw_again(person.body, rng, unsteadiness)
    motion = burdened(draw_again(person.motion, rng, unsteadiness), outfit)
    # A clip holds about as many steps whatever the cadence.
    duration_s = population.duration_s * _USUAL_CADENCE_HZ / float(motion.cadence_hz)
    frames = max(round(duration_s * population.fps), 2)
    skeleton = walk_cycle(body, motion, frames, population.fps, rng.uniform(0.0, 2.0 * np.pi))
    # Wide enough for some walkers to enter or leave the frame of a camera at their side.
    start = np.array([rng.uniform(-1.5, 1.5), rng.normal(0.0, 0.10), 0.0])
    skeleton = skeleton.placed(np.radians(rng.normal(0.0, 2.0)), start)
    figure = build_figure(body, skeleton, outfit)
    name, height_m = f"{condition}-{number:02d}", float(body.height_m)
    return Take(name, (kind, number), outfit, skeleton, figure, height_m)
