"""How the sequences of a training batch are drawn; one file each, found through the registry."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]


class BoundSampler(Protocol):
    """A sampler that knows its training set."""

    def draw(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """The global batch: positions in the training set [size], all from `rng`."""
        ...


class Sampler(Protocol):
    """What a file of this folder defines, with its parameters in the constructor."""

    @property
    def size(self) -> int:
        """Sequences in a global batch, whatever the number of processes."""
        ...

    @property
    def together(self) -> int:
        """Number of consecutive items that must stay on one rank."""
        ...

    def bind(self, labels: Labels) -> BoundSampler:
        """What draws from a training set; whatever depends on the set only is computed here.

        Args:
            labels: class index of every training sequence, int64, none left out below the largest.

        Raises:
            ConfigError: the set does not suffice; the message names the key to change.
        """
        ...
