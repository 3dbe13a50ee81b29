"""A cosine that ends on a floor."""

from __future__ import annotations

import math

from torch.optim import Optimizer

from gait.engine.schedulers import Floored


class CosineFloor(Floored):
    """Half a cosine from the initial learning rate to 0, never below a floor, kept there.

    Args:
        t_max: iterations until the cosine reaches 0.
        floor: the lowest learning rate.
        every: iterations for which a learning rate is kept.

    Source: Loshchilov & Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017,
    arXiv 1608.03983, without restarts.
    """

    def __init__(
        self, optimizer: Optimizer, t_max: int, floor: float = 1e-6, every: int = 1
    ) -> None:
        super().__init__(
            optimizer,
            lambda iteration: (1 + math.cos(math.pi * min(iteration / t_max, 1))) / 2,
            floor,
            every,
        )
