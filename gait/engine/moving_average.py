"""A part of a model that follows another one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gait.config.experiment import MovingAverage
from gait.errors import ConfigError


class ExponentialMovingAverage:
    """Moves the parameters of one submodule towards those of another, step by step.

    Raises:
        ConfigError: the model has no such submodules, or they are not alike.
    """

    def __init__(self, model: nn.Module, settings: MovingAverage, iterations: int) -> None:
        modules = dict(model.named_modules())
        for name in (settings.source, settings.target):
            if not name or name not in modules:
                raise ConfigError(
                    f"ema: the model has no part {name!r}; it has "
                    f"{', '.join(each for each in modules if each and '.' not in each)}"
                )
        source, target = (
            dict(modules[name].named_parameters()) for name in (settings.source, settings.target)
        )
        if {name: each.shape for name, each in source.items()} != {
            name: each.shape for name, each in target.items()
        }:
            raise ConfigError(
                f"ema: {settings.source} and {settings.target} have different parameters, "
                "expected two of one kind"
            )
        self._source: list[Tensor] = list(source.values())
        self._target: list[Tensor] = [target[name] for name in source]
        self._momentum = settings.momentum
        self._iterations = iterations

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Take the step that comes after the optimiser's of `iteration`, counted from 0."""
        progress = math.cos(math.pi * min(iteration / self._iterations, 1))
        share = (1 - self._momentum) * (progress + 1) / 2
        torch._foreach_lerp_(self._target, self._source, share)
