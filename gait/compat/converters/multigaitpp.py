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
from gait.errors import ConfigError


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone = cfg.section("Backbone")
    expect(backbone, "C", 2)
    # The constructor there reads it, the published configurations lack it, and nothing uses it.
    backbone.take("in_channels")
    return {
        "num_classes": cfg.section("SeparateBNNecks").whole("class_num"),
        "part_channels": [backbone.whole("part1_channel"), backbone.whole("part2_channel")],
        "blocks": backbone.wholes("blocks"),
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


# No published script stacks them; by the paper, these are silhouettes, parsing maps and flow.
_PARTS = {
    (1, 1): "silhouettes+parsing",
    (1, 3): "silhouettes+flow",
    (2, 3): "silhouettes+parsing+flow",
}


def _modalities(settings: dict[str, Any]) -> list[str]:
    first, second = settings["part_channels"]
    try:
        return [_PARTS[first, second]]
    except KeyError:
        raise ConfigError(
            f"model_cfg.Backbone: expected part1_channel and part2_channel of "
            f"{' or '.join(map(str, _PARTS))}, got {first} and {second}"
        ) from None


CONVERTERS = (
    Converter(
        foreign=("MultiGaitpp",),
        model="MultiGaitPP",
        modalities=_modalities,
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
