"""MultiGait++ of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, expect
from gait.compat.converters.deepgaitv2 import (
    HEAD_NAMES,
    Names,
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
    # The constructor there reads it, the published configurations lack it, and nothing uses it.
    backbone.take("in_channels")
    return {
        "num_classes": cfg.section("SeparateBNNecks").need("class_num"),
        "part_channels": [backbone.need("part1_channel"), backbone.need("part2_channel")],
        "blocks": list(backbone.need("blocks")),
    }


def _stream_names() -> Names:
    names: Names = ()
    for index, part in enumerate(("part1_", "part2_")):
        names += stem_names(rf"frame_stages\.{index}\.0", f"{part}layer0")
        names += frame_stage_names(rf"frame_stages\.{index}\.1", f"{part}layer1")
    for index, part in enumerate(("part1_", "", "part2_")):
        for layer in range(2):
            names += clip_stage_names(rf"streams\.{index}\.{layer}", f"{part}layer{layer + 2}")
    return names


CONVERTERS = (
    Converter(
        foreign=("MultiGaitpp",),
        model="MultiGaitPP",
        settings=_settings,
        names=(
            *_stream_names(),
            # Numbered there by whose gate they make.
            (r"sharing\.first\.(.+)", r"csquare.conv2.forward_block.\1"),
            (r"sharing\.second\.(.+)", r"csquare.conv1.forward_block.\1"),
            (r"fusion\.weight", "fusion.conv.forward_block.0.weight"),
            *clip_stage_names(r"clip_stages\.0", "layer4"),
            *HEAD_NAMES,
        ),
        fields={"triplet": ("before_neck",), "softmax": ("logits",)},
        regroup=flatten_kernels,
        ungroup=raise_kernels,
    ),
)
