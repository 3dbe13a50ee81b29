"""Learning-rate schedules beside torch's own; one file each, found through the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class Floored(LRScheduler):
    """A schedule that is worked out every few iterations and never falls below a floor.

    Args:
        optimizer: each of its groups starts from its own learning rate.
        factor: what the initial learning rates are multiplied by, by iteration.
        floor: the lowest learning rate; a group that starts at 0 stays there.
        every: iterations for which a learning rate is kept.
    """

    def __init__(
        self, optimizer: Optimizer, factor: Callable[[int], float], floor: float, every: int
    ) -> None:
        self._factor = factor
        self._floor = floor
        self._every = every
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Any]:
        factor = self._factor(self.last_epoch // self._every * self._every)
        return [max(each * factor, self._floor) if each else 0.0 for each in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is; what it is follows from the experiment."""
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
