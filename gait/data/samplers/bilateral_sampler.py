"""Two views of each sequence, for learning without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gait.data.samplers import BoundSampler, Labels
from gait.data.samplers.common_sampler import CommonSampler


@dataclass(frozen=True, slots=True)
class BilateralSampler:
    """Draws `batch` sequences uniformly, whoever they show, each of them twice in a row.

    The two have frames and augmentation of their own: rows 0, 2, 4, ... of a batch are first
    views, rows 1, 3, 5, ... the second views of the same sequences.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos,
    TPAMI 2023, arXiv 2206.13964, section 4.
    """

    batch: int

    @property
    def size(self) -> int:
        return 2 * self.batch

    @property
    def together(self) -> int:
        return 2

    def bind(self, labels: Labels) -> _Twice:
        return _Twice(CommonSampler(self.batch).bind(labels))


@dataclass(frozen=True, slots=True)
class _Twice:
    once: BoundSampler

    def draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return np.repeat(self.once.draw(rng), 2)
