"""A band of rows that is drawn for each sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gait.data.transforms import Silhouettes
from gait.errors import ConfigError


class Band:
    """Rows from one drawn from `top` up to, and not including, one drawn from `bottom`.

    Raises:
        ConfigError: the ranges do not leave a band of at least two rows.
    """

    def __init__(self, owner: object, top: Sequence[int], bottom: Sequence[int]) -> None:
        ends = [*top, *bottom]
        if len(top) != 2 or len(bottom) != 2 or sorted(ends) != ends or bottom[0] - top[1] < 2:
            raise ConfigError(
                f"{type(owner).__name__}: expected top: [lowest, highest] and bottom: [lowest, "
                f"highest] with at least two rows between, got {list(top)} and {list(bottom)}; "
                "change it under `transforms` of the experiment"
            )
        self._top, self._bottom = (top[0], top[1]), (bottom[0], bottom[1])
        self._owner = type(owner).__name__

    def draw(self, frames: Silhouettes, rng: np.random.Generator) -> slice:
        """The rows of one sequence.

        Raises:
            ConfigError: frames are too low for the band.
        """
        if frames.shape[1] < self._bottom[1]:
            raise ConfigError(
                f"{self._owner}: bottom is up to {self._bottom[1]}, but frames are "
                f"{frames.shape[1]} rows high; lower it under `transforms` of the experiment"
            )
        first = int(rng.integers(*self._top, endpoint=True))
        return slice(first, int(rng.integers(*self._bottom, endpoint=True)))
