"""Uniform sampling, ignoring identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gait.data.samplers import Labels


@dataclass(frozen=True, slots=True)
class CommonSampler:
    """Draws `batch` sequences without replacement, or with where the set is smaller."""

    batch: int

    @property
    def size(self) -> int:
        return self.batch

    @property
    def together(self) -> int:
        return 1

    def bind(self, labels: Labels) -> _Uniform:
        return _Uniform(len(labels), self.batch)


@dataclass(frozen=True, slots=True)
class _Uniform:
    population: int
    batch: int

    def draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.choice(self.population, self.batch, replace=self.population < self.batch)
