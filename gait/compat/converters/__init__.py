"""What each foreign model is here: one small file for each family, found by its place."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from gait.compat.converters.converter import Converter
from gait.errors import ConfigError, nearest


@cache
def converters() -> tuple[Converter, ...]:
    """The `CONVERTERS` of every file in this folder."""
    files = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    modules = [
        importlib.import_module(f"{__name__}.{name}")
        for name in files
        if name not in ("__init__", "converter")
    ]
    return tuple(each for module in modules for each in module.CONVERTERS)


def by_foreign_name(name: str) -> Converter:
    """The converter of a model by its name in OpenGait.

    Raises:
        ConfigError: no such model is supported; the message lists those that are.
    """
    known = {each: converter for converter in converters() for each in converter.foreign}
    if name not in known:
        raise ConfigError(
            f"model_cfg.model: {name!r} cannot be converted; {nearest(str(name), known)} "
            f"(supported: {', '.join(sorted(known))})"
        )
    return known[name]


def by_model(name: str) -> Converter:
    """The converter of a model by its name here.

    Raises:
        ConfigError: the model has no foreign counterpart.
    """
    for converter in converters():
        if converter.model == name:
            return converter
    known = sorted(converter.model for converter in converters())
    raise ConfigError(f"{name} has no counterpart in OpenGait; known: {', '.join(known)}")
