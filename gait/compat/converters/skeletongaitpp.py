"""SkeletonGait++ of OpenGait; its SkeletonGait is DeepGaitV2."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, expect
from gait.compat.converters.deepgaitv2 import (
    HEAD_NAMES,
    clip_stage_names,
    flatten_kernels,
    frame_stage_names,
    raise_kernels,
    stem_names,
)
from gait.compat.foreign import Section


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone = cfg.section("Backbone")
    expect(backbone, "C", 2)
    settings = {
        "num_classes": cfg.section("SeparateBNNecks").whole("class_num"),
        "blocks": backbone.wholes("blocks"),
    }
    map_channels = backbone.whole("in_channels") - 1
    return settings if map_channels == 2 else settings | {"map_channels": map_channels}


CONVERTERS = (
    Converter(
        foreign=("SkeletonGaitPP",),
        model="SkeletonGaitPP",
        modalities=lambda settings: ["skeleton_maps+silhouettes"],
        settings=_settings,
        names=(
            *stem_names(r"silhouette_stages\.0", "sil_layer0"),
            *frame_stage_names(r"silhouette_stages\.1", "sil_layer1"),
            *stem_names(r"map_stages\.0", "map_layer0"),
            *frame_stage_names(r"map_stages\.1", "map_layer1"),
            (r"fusion\.scores\.(.+)", r"fusion.conv.forward_block.\1"),
            *clip_stage_names(r"clip_stages\.0", "layer2"),
            *clip_stage_names(r"clip_stages\.1", "layer3"),
            *clip_stage_names(r"clip_stages\.2", "layer4"),
            *HEAD_NAMES,
        ),
        fields={"triplet": ("before_neck",), "softmax": ("logits",)},
        regroup=flatten_kernels,
        ungroup=raise_kernels,
    ),
)
