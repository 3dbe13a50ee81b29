"""MultiScaleGaitGraph of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, expect
from gait.compat.foreign import Section

_LEVELS = ("low", "medium", "high")


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    graph = cfg.section("graph_cfg")
    expect(graph, "layout", "body_12")
    expect(graph, "strategy", "gait_temporal")
    expect(cfg, "temporal_kernel_size", 9)
    return {
        "num_classes": cfg.whole("num_id"),
        "channels": cfg.wholes("in_channels"),
        "embedding_channels": cfg.need("out_channels"),
    }


def _names_of(index: int, level: str) -> tuple[tuple[str, str], ...]:
    block, there = rf"streams\.{index}\.(\d)\.", f"st_gcn_networks_{level}Semantic"
    return (
        (rf"{block}importance", rf"edge_importance_{level}Semantic.\1"),
        (rf"{block}spatial\.projection\.(\w+)", rf"{there}.\1.gcn.conv.\2"),
        (rf"{block}spatial_bn\.(\w+)", rf"{there}.\1.tcn.0.\2"),
        (rf"{block}temporal\.(\w+)", rf"{there}.\1.tcn.2.\2"),
        (rf"{block}temporal_bn\.(\w+)", rf"{there}.\1.tcn.3.\2"),
        (rf"{block}residual\.(.+)", rf"{there}.\1.residual.\2"),
    )


CONVERTERS = (
    Converter(
        foreign=("MultiScaleGaitGraph",),
        model="MsGG",
        modalities=lambda settings: ["pose"],
        settings=_settings,
        names=(
            *(name for each in enumerate(_LEVELS) for name in _names_of(*each)),
            (r"head\.(\w+)", r"fc.\1"),
            (r"neck\.(\w+)", r"bn_neck.\1"),
            (r"classifier\.weight", "encoder_cls.weight"),
        ),
        fields={
            "triplet_joints": ("joints",),
            "triplet_limbs": ("limbs",),
            "triplet_bodyparts": ("embeddings",),
            "softmax": ("logits",),
        },
        aside=(r"A_\w+Semantic",),
    ),
)
