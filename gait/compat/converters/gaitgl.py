"""GaitGL of OpenGait, in the two sizes and with the two heads that it has there."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, bn_neck
from gait.compat.foreign import Section
from gait.errors import ConfigError

_PARTS = 64


def settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    """Our arguments; the size is chosen by the dataset's name."""
    large = dataset in ("OUMVLP", "GREW")
    channels = cfg.wholes("channels")
    if len(channels) != (4 if large else 3):
        raise ConfigError(
            f"{cfg.at('channels')}: expected {4 if large else 3} numbers for dataset "
            f"{dataset!r} (4 for OUMVLP and GREW, 3 otherwise), got {channels}"
        )
    ours: dict[str, Any] = {"num_classes": cfg.whole("class_num")}
    if large:
        ours |= {"channels": channels, "blocks": 2, "halving": 1}
    else:
        ours |= {"channels": [*channels, channels[-1]], "blocks": 1, "halving": 3}
    if "SeparateBNNecks" in cfg:
        ours["num_classes"] = bn_neck(cfg.section("SeparateBNNecks"), channels[-1], _PARTS)
        ours["bn_neck"] = True
    return ours


def names(prefix: str = "") -> tuple[tuple[str, str], ...]:
    """(pattern of our tensor names, foreign name) of the network below `prefix`."""
    patterns = [
        (r"plain\.(\d)\.weight", r"conv3d.\1.conv3d.weight"),
        (r"aggregation\.0\.weight", "LTA.0.conv3d.weight"),
        (r"pooling\.exponent", "HPP.p"),
        (r"part_linear\.weight", "Head0.fc_bin"),
        (r"classifier\.weight", "Head1.fc_bin"),
        (r"neck\.bn\.(\w+)", r"BNNecks.bn1d.\1"),
        (r"neck\.classifier\.weight", "BNNecks.fc_bin"),
        (r"neck\.(\w+)", r"Bn.\1"),
    ]
    for stage, foreign in enumerate(("GLConvA0", "GLConvA1", "GLConvB2")):
        for ours, kind in (("whole", "global"), ("local", "local")):
            patterns.append(
                (
                    rf"stages\.{stage}\.((?:\d\.)?){ours}\.weight",
                    rf"{foreign}.\1{kind}_conv3d.conv3d.weight",
                )
            )
    return tuple((prefix + pattern, foreign) for pattern, foreign in patterns)


CONVERTERS = (
    Converter(
        foreign=("GaitGL",),
        model="GaitGL",
        settings=settings,
        names=names(),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
    ),
)
