"""Checks the components that an experiment names, before anything is imported or run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

from gait import registry
from gait.config.yaml import Origins, place_of
from gait.errors import ConfigError
from gait.modalities import MODALITIES


def component_problems(data: dict[str, Any], origins: Origins, file: Path) -> list[str]:
    """What is wrong with the components of an experiment, each problem with its place.

    Names and parameters are read from source, without importing anything.
    """
    components: list[tuple[str, str, Any]] = [
        (kind, kind, data[kind])
        for kind in ("model", "optimizer", "scheduler", "sampler")
        if isinstance(data.get(kind), dict)
    ]
    losses = data.get("losses")
    for name, loss in (losses if isinstance(losses, dict) else {}).items():
        if isinstance(loss, dict):
            settings = {key: loss[key] for key in loss.keys() - {"weight", "field", "target"}}
            components.append(("loss", f"losses.{name}", settings))
    for where, listed in _transforms(data):
        for index, transform in enumerate(listed):
            if isinstance(transform, dict):
                transform = {key: transform[key] for key in transform.keys() - {"input"}}
            components.append(("transform", f"{where}.{index}", transform))
    problems = [
        f"{place_of(origins, where, file)}: {problem}"
        for kind, where, component in components
        for problem in registry.check(
            kind, component if isinstance(component, dict) else {"name": component}, where
        )
    ]
    return problems + _starved_losses(data, origins, file) + _uneven_inputs(data, origins, file)


def _starved_losses(data: dict[str, Any], origins: Origins, file: Path) -> list[str]:
    """Losses that would learn nothing from the batches that the sampler draws.

    A triplet needs another subject, and a second sequence of its own; without, a run goes on to
    its end at a loss of zero. What is malformed is another's problem.
    """
    sampler, losses = data.get("sampler"), data.get("losses")
    is_trained = bool(data.get("iterations")) and data.get("weights") is None
    if not (is_trained and isinstance(sampler, dict) and isinstance(losses, dict)):
        return []
    drawn = {key: sampler.get(key) for key in ("subjects", "sequences", "batch")}
    problems = []
    for name, loss in losses.items():
        # Of categories a batch has what its subjects happen to have.
        if not isinstance(loss, dict) or loss.get("target", "identity") != "identity":
            continue
        with suppress(ConfigError):
            for key, number in drawn.items():
                least = least_of(loss, key)
                if isinstance(number, int) and number < least:
                    problems.append(
                        f"{place_of(origins, f'sampler.{key}', file)}: sampler.{key} is {number}, "
                        f"from which losses.{name} ({loss.get('name')}) learns nothing; set it to "
                        f"{least} or more, or take the loss away (losses.{name}: null)"
                    )
    return problems


def least_of(loss: dict[str, Any], what: str) -> int:
    """How many subjects, sequences of each or sequences in all (`batch`) a loss learns from.

    Raises:
        ConfigError: there is no such loss.
    """
    stated = registry.constant("loss", str(loss.get("name")), f"min_{what}")
    if stated is None and what == "batch":
        # As many subjects take as many sequences at least.
        stated = registry.constant("loss", str(loss.get("name")), "min_subjects")
    return stated if isinstance(stated, int) else 1


def _transforms(data: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The lists of transforms, for training and for test time, and where each stands."""
    for where, holder in (("transforms", data), ("embedding.transforms", data.get("embedding"))):
        listed = holder.get("transforms") if isinstance(holder, dict) else None
        yield where, listed if isinstance(listed, list) else []


def _uneven_inputs(data: dict[str, Any], origins: Origins, file: Path) -> list[str]:
    """Inputs whose frames differ in size and stay so, or that are even and need not be made so.

    What is malformed is another's problem.
    """
    inputs = data.get("inputs")
    names = [str(each) for each in inputs] if isinstance(inputs, list) else []
    problems = []
    for name, (where, listed) in product(names, _transforms(data)):
        is_ragged = name in MODALITIES and MODALITIES[name].is_ragged
        own = [
            str(each.get("name"))
            for each in listed
            if isinstance(each, dict) and (each.get("input") or names[0]) == name
        ]
        with suppress(ConfigError):
            makes_even = [registry.takes("transform", each) == "Ragged" for each in own]
            if is_ragged and makes_even[:1] != [True]:
                what = (
                    f"the frames of {name} differ in size, expected a transform that makes them "
                    "even before all others, such as {name: RandomSamplePoints, count: 1024}, got "
                    f"{own[0] if own else 'none'}"
                )
            elif True in (surplus := makes_even[is_ragged:]):
                what = (
                    f"{own[surplus.index(True) + is_ragged]} makes frames even that differ in "
                    f"size, but those of {name} are even there; remove it"
                )
            else:
                continue
            problems.append(f"{place_of(origins, where, file)}: {where}: {what}")
    return problems
