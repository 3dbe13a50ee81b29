"""What one foreign model is here: its settings, its tensors' names, the losses it feeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gait.compat.foreign import Section
from gait.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Converter:
    """A foreign model.

    Attributes:
        foreign: its names in OpenGait.
        model: its name here.
        settings: turns its `model_cfg` into constructor arguments of ours; 'num_classes' is among
            them where the model has classes.
        names: (pattern of our tensor names, foreign name); the first that matches counts.
        fields: the output field that each loss prefix of the foreign model stands for.
    """

    foreign: tuple[str, ...]
    model: str
    settings: Callable[[Section], dict[str, Any]]
    names: tuple[tuple[str, str], ...]
    fields: Mapping[str, str]

    def foreign_names(self, names: Iterable[str]) -> dict[str, str]:
        """Foreign name -> our name, of every tensor of ours."""
        return {self._foreign_name(name): name for name in names}

    def _foreign_name(self, name: str) -> str:
        for pattern, replacement in self.names:
            if match := re.fullmatch(pattern, name):
                return match.expand(replacement)
        raise AssertionError(f"{self.model}: no foreign name is given for {name}")


def part_linear(section: Section, in_channels: int, parts: int) -> int:
    """Output channels of a foreign `SeparateFCs`, whose other sizes follow from the rest.

    Raises:
        ConfigError: they do not, or a variant that no model here has.
    """
    expect(section, "in_channels", in_channels)
    expect(section, "parts_num", parts)
    expect(section, "norm", False, absent=False)
    return int(section.need("out_channels"))


def bn_neck(section: Section, in_channels: int, parts: int) -> int:
    """Number of classes of a foreign `SeparateBNNecks`; otherwise as `part_linear`."""
    expect(section, "in_channels", in_channels)
    expect(section, "parts_num", parts)
    expect(section, "norm", True, absent=True)
    expect(section, "parallel_BN1d", True, absent=True)
    return int(section.need("class_num"))


def expect(section: Section, key: str, value: Any, *, absent: Any = None) -> None:
    """Check a key that has only one value that makes sense here.

    Raises:
        ConfigError: another value.
    """
    found = section.need(key) if absent is None else section.take(key, absent)
    if found != value:
        raise ConfigError(f"{section.at(key)}: expected {value!r}, got {found!r}")
