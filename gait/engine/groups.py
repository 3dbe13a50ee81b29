"""Which parameters the optimiser changes, and how: the groups of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from gait.config.experiment import ParameterGroup
from gait.errors import ConfigError, nearest


def freeze(model: nn.Module, groups: Sequence[ParameterGroup]) -> None:
    """Take the parameters of frozen groups out of training.

    Raises:
        ConfigError: a pattern that matches no parameter.
    """
    names = [name for name, _ in model.named_parameters()]
    for group in groups:
        for pattern in group.patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ConfigError(
                    f"parameters: {pattern!r} matches no parameter of the model; "
                    f"{nearest(pattern, names)}"
                )
    for name, parameter in model.named_parameters():
        found = _group_of(name, groups)
        if found is not None and found.frozen:
            parameter.requires_grad_(False)


def parameter_groups(
    model: nn.Module, losses: nn.Module, groups: Sequence[ParameterGroup], lr: float | None
) -> list[dict[str, Any]]:
    """What learns, as an optimiser takes it: first whatever no group names, then the groups.

    Args:
        lr: the optimiser's own learning rate, which `lr_scale` multiplies.

    Raises:
        ConfigError: a group scales a learning rate that the experiment does not give.
    """
    listed: list[dict[str, Any]] = [{"params": []}]
    for group in groups:
        options: dict[str, Any] = {"params": []}
        if group.lr is not None:
            options["lr"] = group.lr
        if group.lr_scale is not None:
            if lr is None:
                raise ConfigError(
                    "parameters: lr_scale multiplies optimizer.lr, which the experiment does not "
                    "give; set it"
                )
            options["lr"] = lr * group.lr_scale
        if group.weight_decay is not None:
            options["weight_decay"] = group.weight_decay
        listed.append(options)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found = _group_of(name, groups)
            position = 0 if found is None else 1 + list(groups).index(found)
            listed[position]["params"].append(parameter)
    listed[0]["params"] += [each for each in losses.parameters() if each.requires_grad]
    return [each for each in listed if each["params"]]


def _group_of(name: str, groups: Sequence[ParameterGroup]) -> ParameterGroup | None:
    for group in groups:
        if any(fnmatchcase(name, pattern) for pattern in group.patterns):
            return group
    return None
