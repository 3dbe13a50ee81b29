"""What one foreign model is here: its settings, its tensors' names, the losses it feeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gait.compat.foreign import Section
from gait.config.experiment import Output
from gait.errors import ConfigError
from gait.types import ModelOutput

Tensors = dict[str, Tensor]


def _same(value: Any) -> Any:
    return value


def _nothing(cfg: Section) -> dict[str, Any]:
    return {}


def _embeddings(output: ModelOutput) -> Tensors:
    return {"embeddings": output.embeddings}


@dataclass(frozen=True, slots=True)
class Converter:
    """A foreign model.

    Attributes:
        foreign: its names in OpenGait.
        model: its name here.
        settings: turns its `model_cfg`, and the dataset's name there, by which some models choose
            their size, into constructor arguments of ours; those that follow from the data
            (`registry.DERIVED`) are among them.
        names: (pattern of our tensor names, foreign name); the first that matches counts.
        fields: the output fields that each loss prefix of the foreign model stands for, in the
            order of the loss's arguments.
        optional: loss prefixes that some configurations of the model do without.
        losses: our loss for the prefixes where it is another than the foreign loss's type says; it
            takes the same parameters.
        terms: weights of output fields that are losses already; there the model adds them itself,
            and no configuration names them.
        targets: loss prefixes whose labels are categories instead of identities.
        output: what its embeddings are, see `gait.config.experiment.Evaluation`.
        modalities: our `inputs` for the constructor arguments that `settings` gave.
        recipe: what the whole foreign configuration says beyond what all models have, such as
            learning rates of parts: further entries of our experiment.
        aside: patterns of foreign names that have no counterpart: constants that are computed
            here, and second names of a tensor.
        one_sequence: whether packed sequences are taken for one there.
        inputs: turns the foreign model's input tensors into ours; in training they hold
            rectangular batches.
        inference: turns our output into what it calls `inference_feat`.
        regroup: turns foreign tensors into others that map one to one onto ours, by foreign-like
            names; pieces that are not there are left for the caller to miss.
        ungroup: the reverse.
    """

    foreign: tuple[str, ...]
    model: str
    settings: Callable[[Section, str | None], dict[str, Any]]
    names: tuple[tuple[str, str], ...]
    fields: Mapping[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()
    losses: Mapping[str, str] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    targets: frozenset[str] = frozenset()
    output: Output = "embedding"
    modalities: Callable[[dict[str, Any]], list[str]] = lambda settings: ["silhouettes"]
    recipe: Callable[[Section], dict[str, Any]] = _nothing
    aside: tuple[str, ...] = ()
    one_sequence: bool = False
    inputs: Callable[[list[Tensor], bool], list[Tensor]] = lambda tensors, training: tensors
    inference: Callable[[ModelOutput], Tensors] = _embeddings
    regroup: Callable[[Tensors], Tensors] = _same
    ungroup: Callable[[Tensors], Tensors] = _same

    def foreign_names(self, names: Iterable[str]) -> dict[str, str]:
        """Foreign name -> our name, of every tensor of ours."""
        return {self._foreign_name(name): name for name in names}

    def is_aside(self, foreign_name: str) -> bool:
        """Whether a foreign tensor has no counterpart, and needs none."""
        return any(re.fullmatch(pattern, foreign_name) for pattern in self.aside)

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
    return section.whole("out_channels")


def bn_neck(section: Section, in_channels: int, parts: int) -> int:
    """Number of classes of a foreign `SeparateBNNecks`; otherwise as `part_linear`."""
    expect(section, "in_channels", in_channels)
    expect(section, "parts_num", parts)
    expect(section, "norm", True, absent=True)
    expect(section, "parallel_BN1d", True, absent=True)
    return section.whole("class_num")


def expect(section: Section, key: str, value: Any, *, absent: Any = None) -> None:
    """Check a key that has only one value that makes sense here.

    Raises:
        ConfigError: another value.
    """
    found = section.need(key) if absent is None else section.take(key, absent)
    if found != value:
        raise ConfigError(f"{section.at(key)}: expected {value!r}, got {found!r}")
