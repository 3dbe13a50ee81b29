"""Steps that end on a floor."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from torch.optim import Optimizer

from gait.engine.schedulers import Floored


class MultiStepFloor(Floored):
    """The learning rate times `gamma` at each milestone, never below a floor.

    A group that starts below the floor, but not at 0, is lifted to it.

    Args:
        milestones: iterations at which the learning rate falls, ascending.
        gamma: what it is multiplied by.
        floor: the lowest learning rate.
        every: iterations for which a learning rate is kept.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Sequence[int],
        gamma: float = 0.1,
        floor: float = 1e-4,
        every: int = 1,
    ) -> None:
        super().__init__(
            optimizer, lambda iteration: gamma ** bisect_right(milestones, iteration), floor, every
        )
