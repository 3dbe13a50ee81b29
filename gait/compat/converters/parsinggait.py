"""ParsingGait of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, expect
from gait.compat.converters.gaitbase import BACKBONE, HEAD, network_settings
from gait.compat.foreign import Section
from gait.errors import ConfigError
from gait.layers.part_graph import GRAPHS

_FLAGS = {
    "combine_fine_coarse_graph": ["fine", "coarse"],
    "only_fine_graph": ["fine"],
    "only_coarse_graph": ["coarse"],
}


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    chosen = cfg.section("gcn_cfg")
    flags = [flag for flag in _FLAGS if chosen.take(flag, False)]
    if len(flags) != 1:
        raise ConfigError(
            f"{chosen.path}: expected one of {', '.join(_FLAGS)} to be true, got {flags}"
        )
    graphs = _FLAGS[flags[0]]
    for name, (nodes, _) in GRAPHS.items():
        expect(chosen, f"{name}_parts", len(nodes), absent=len(nodes))
    more = sum(len(GRAPHS[name][0]) for name in graphs)
    return {**network_settings(cfg, more_parts=more), "graphs": graphs}


CONVERTERS = (
    Converter(
        foreign=("ParsingGait",),
        model="ParsingGait",
        settings=_settings,
        names=(
            (r"graphs\.(\w+)\.gammas", r"gammas_\1"),
            (r"graphs\.(\w+)\.convolutions\.0\.(.+)", r"gcn_\1.gc1.\2"),
            (r"graphs\.(\w+)\.convolutions\.1\.(.+)", r"gcn_\1.gc2.\2"),
            *BACKBONE,
            *HEAD,
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        modalities=lambda settings: ["parsing"],
    ),
)
