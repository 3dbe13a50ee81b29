"""GLN of OpenGait; `Lateral_pretraining` tells its first phase from its second."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, expect, part_linear
from gait.compat.foreign import Section

_BINS = [16, 8, 4, 2, 1]
_BLOCK = ("encoder_bn", "dropout", "relu", "reduce_fc", "reduce_bn", "reduce_cls")


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    in_channels, *channels = cfg.wholes("in_channels", least=2)
    lateral = cfg.whole("lateral_dim")
    parts = 3 * sum(_BINS)
    settings: dict[str, Any] = {
        "channels": channels,
        "lateral_channels": lateral,
        "embedding_channels": part_linear(cfg.section("SeparateFCs"), lateral, parts),
        # The pyramid there is always this one.
        "bins": _BINS,
        "compact": not cfg.need("Lateral_pretraining"),
    }
    if in_channels != 1:
        settings["in_channels"] = in_channels
    # Keys of the compact block, which the first phase does not have.
    if settings["compact"]:
        expect(cfg, "bin_num", _BINS)
        expect(cfg, "hidden_dim", settings["embedding_channels"])
        settings["dropout"] = cfg.number("dropout")
        settings["num_classes"] = cfg.whole("class_num")
    return settings


CONVERTERS = (
    Converter(
        foreign=("GLN",),
        model="GLN",
        settings=_settings,
        names=(
            (
                r"frame_stages\.(\d)\.(\d)\.weight",
                r"sil_stage_\1.forward_block.\2.conv.weight",
            ),
            *(
                (rf"set_stages\.{index}\.(\d)\.weight", rf"set_stage_{index + 1}.\1.conv.weight")
                for index in range(2)
            ),
            *(
                (rf"(lateral|smooth)\.{index}\.weight", rf"\1_layer{index + 1}.weight")
                for index in range(3)
            ),
            (r"part_linear\.weight", "Head.fc_bin"),
            *((rf"compact\.{index}\.(\w+)", rf"{name}.\1") for index, name in enumerate(_BLOCK)),
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        optional=frozenset({"softmax"}),
    ),
)
