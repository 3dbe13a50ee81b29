"""Whether given weights are those of a model: by name, shape, type and value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from gait.screen import shown

_SHOWN = 3
_WHOLE = frozenset({torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8})


def misfits(own: Mapping[str, Tensor], given: Mapping[str, object]) -> list[str]:
    """What keeps `given` from being the tensors `own`, a clause for each kind; empty if nothing.

    Numbers may be of another precision, but not of another kind: complex ones would lose a part,
    and whole ones are quantised.
    """
    common = [name for name in own if name in given]
    shapes = {name: _shape_misfit(own[name], given[name]) for name in common}
    kinds = {name: misfit(own[name], given[name]) for name in common if not shapes[name]}
    found = (
        ("missing", [shown(name) for name in own if name not in given]),
        ("unexpected", [shown(name) for name in given if name not in own]),
        ("of another shape", [f"{shown(name)} {why}" for name, why in shapes.items() if why]),
        ("unfit", [f"{shown(name)} {why}" for name, why in kinds.items() if why]),
    )
    return [f"{what}: {some(names)}" for what, names in found if names]


def misfit(own: Tensor, given: object) -> str:
    """Why a tensor cannot take the place of another one, or nothing if it can."""
    if not isinstance(given, Tensor):
        return f"is {type(given).__name__}, expected a tensor"
    if why := _shape_misfit(own, given):
        return why
    kinds = [_kind(each.dtype) for each in (given, own)]
    if kinds[0] != kinds[1]:
        return f"{_name(given.dtype)} instead of {_name(own.dtype)}"
    if kinds[0] == "real" and not _finite(given.to(own.dtype)) and _finite(own):
        return "holds values that are not finite"
    return ""


def some(names: Iterable[str]) -> str:
    """The first few of `names`, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _shape_misfit(own: Tensor, given: object) -> str:
    if isinstance(given, Tensor) and given.shape != own.shape:
        return f"{list(given.shape)} instead of {list(own.shape)}"
    return ""


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_floating_point:
        return "real"
    return "whole" if dtype in _WHOLE else _name(dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
