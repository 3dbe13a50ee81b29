"""Measures that differ between walkers, and a little between two walks of one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.float64]
_Record = TypeVar("_Record", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Trait:
    """How a measure is distributed: a normal distribution cut at `low` and `high`.

    It annotates a field of a dataclass, which then can be drawn.

    Attributes:
        mean: over all people.
        between: standard deviation over people.
        within: standard deviation over the walks of one person.
        asymmetry: standard deviation of each side around the person's own value; None for a
            measure that has no sides.
        low: smallest value.
        high: largest value.
    """

    mean: float
    between: float
    within: float = 0.0
    asymmetry: float | None = None
    low: float = -np.inf
    high: float = np.inf

    def person(self, rng: np.random.Generator) -> Floats:
        """A value for a new person: shape [], or [2] for left and right."""
        value = self.mean + self.between * rng.standard_normal()
        if self.asymmetry is None:
            return self._cut(np.asarray(value))
        return self._cut(value + self.asymmetry * rng.standard_normal(2))

    def again(self, value: Floats, rng: np.random.Generator, unsteadiness: float) -> Floats:
        """The person's `value` as it turns out in one walk."""
        return self._cut(value + unsteadiness * self.within * rng.standard_normal(value.shape))

    def _cut(self, value: Floats) -> Floats:
        return np.asarray(np.clip(value, self.low, self.high), np.float64)


def draw_person(record: type[_Record], rng: np.random.Generator, **others: Any) -> _Record:
    """A new person's `record`; `others` are the fields that are not traits."""
    drawn = {name: trait.person(rng) for name, trait in _traits(record).items()}
    return record(**drawn, **others)


def draw_again(person: _Record, rng: np.random.Generator, unsteadiness: float) -> _Record:
    """`person` as one walk shows it: each trait varied a little, times `unsteadiness`."""
    drawn = {
        name: trait.again(getattr(person, name), rng, unsteadiness)
        for name, trait in _traits(type(person)).items()
    }
    return replace(person, **drawn)


@cache
def _traits(record: Any) -> dict[str, Trait]:
    hints = get_type_hints(record, include_extras=True)
    return {
        name: each
        for name, hint in hints.items()
        for each in getattr(hint, "__metadata__", ())
        if isinstance(each, Trait)
    }
