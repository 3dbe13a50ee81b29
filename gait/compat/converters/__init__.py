"""What each foreign model is here: one small file for each family."""

from __future__ import annotations

from gait.compat.converters import gaitbase, gaitset
from gait.compat.converters.converter import Converter
from gait.errors import ConfigError, nearest

CONVERTERS: tuple[Converter, ...] = (gaitset.CONVERTER, gaitbase.CONVERTER)


def by_foreign_name(name: str) -> Converter:
    """The converter of a model by its name in OpenGait.

    Raises:
        ConfigError: no such model is supported; the message lists those that are.
    """
    known = {each: converter for converter in CONVERTERS for each in converter.foreign}
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
    for converter in CONVERTERS:
        if converter.model == name:
            return converter
    known = sorted(converter.model for converter in CONVERTERS)
    raise ConfigError(f"{name} has no counterpart in OpenGait; known: {', '.join(known)}")
