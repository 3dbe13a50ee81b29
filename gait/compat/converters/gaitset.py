"""GaitSet of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, part_linear
from gait.compat.foreign import Section


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    in_channels, *channels = cfg.wholes("in_channels", least=2)
    bins = cfg.wholes("bin_num", [16, 8, 4, 2, 1])
    settings: dict[str, Any] = {
        "channels": channels,
        "embedding_channels": part_linear(cfg.section("SeparateFCs"), channels[-1], 2 * sum(bins)),
        "bins": bins,
    }
    if in_channels != 1:
        settings["in_channels"] = in_channels
    return settings


CONVERTERS = (
    Converter(
        foreign=("GaitSet",),
        model="GaitSet",
        settings=_settings,
        names=(
            (r"frame_blocks\.0\.(\d)\.weight", r"set_block1.forward_block.\1.conv.weight"),
            (r"frame_blocks\.1\.(\d)\.weight", r"set_block2.forward_block.\1.conv.weight"),
            (r"frame_blocks\.2\.(\d)\.weight", r"set_block3.forward_block.\1.conv.weight"),
            (r"set_blocks\.0\.(\d)\.weight", r"gl_block2.\1.conv.weight"),
            (r"set_blocks\.1\.(\d)\.weight", r"gl_block3.\1.conv.weight"),
            (r"part_linear\.weight", "Head.fc_bin"),
        ),
        fields={"triplet": ("embeddings",)},
    ),
)
