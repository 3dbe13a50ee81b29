"""P subjects times K sequences, as triplet losses need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gait.data.samplers import Labels
from gait.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TripletSampler:
    """Draws `subjects` subjects without replacement, then `sequences` sequences of each.

    A subject's sequences are drawn without replacement, or with where it has fewer of them.

    Source: Hermans, Beyer, Leibe, In Defense of the Triplet Loss, 2017, arXiv:1703.07737, sec. 2.
    """

    subjects: int
    sequences: int

    @property
    def size(self) -> int:
        return self.subjects * self.sequences

    @property
    def together(self) -> int:
        return 1

    def bind(self, labels: Labels) -> _Grouped:
        counts = np.bincount(labels)
        if len(counts) < self.subjects:
            raise ConfigError(
                f"sampler.subjects is {self.subjects}, but the training set has {len(counts)} "
                f"subjects; set sampler.subjects to {len(counts)} or fewer in the experiment's "
                "file (config/experiments/<dataset>/<model>/<save_name>.yaml), or add subjects "
                "to the dataset's partition.yaml"
            )
        grouped = np.argsort(labels, kind="stable")
        return _Grouped(np.split(grouped, np.cumsum(counts)[:-1]), self.subjects, self.sequences)


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Positions of each subject's sequences, and how many of both to draw."""

    members: list[npt.NDArray[np.int64]]
    subjects: int
    sequences: int

    def draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        subjects = rng.choice(len(self.members), self.subjects, replace=False)
        drawn = [
            rng.choice(own, self.sequences, replace=len(own) < self.sequences)
            for own in (self.members[subject] for subject in subjects)
        ]
        return np.concatenate(drawn)
