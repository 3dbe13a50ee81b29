"""Baseline of OpenGait, the network that its paper calls GaitBase, and ScoNet, built on it."""

from __future__ import annotations

import re
from typing import Any

from gait.compat.converters.converter import Converter, bn_neck, expect, part_linear
from gait.compat.foreign import Section, shortened
from gait.errors import ConfigError


def network_settings(
    cfg: Section, dataset: str | None = None, more_parts: int = 0
) -> dict[str, Any]:
    """Our settings of a backbone with a head on horizontal parts.

    Args:
        more_parts: parts of the head beside those of the horizontal pooling.
    """
    backbone, width = backbone_settings(cfg.section("backbone_cfg"))
    bins = cfg.wholes("bin_num")
    parts = sum(bins) + more_parts
    embedding_channels = part_linear(cfg.section("SeparateFCs"), width, parts)
    return {
        "num_classes": bn_neck(cfg.section("SeparateBNNecks"), embedding_channels, parts),
        "backbone": backbone,
        "embedding_channels": embedding_channels,
        "bins": bins,
    }


def _diagnosis(cfg: Section, dataset: str | None) -> dict[str, Any]:
    settings = network_settings(cfg)
    return {"num_categories": settings.pop("num_classes"), **settings}


def backbone_settings(cfg: Section) -> tuple[dict[str, Any], int]:
    """Our settings of a backbone, and its output channels."""
    kind = cfg.text("type")
    if kind == "ResNet9":
        expect(cfg, "block", "BasicBlock", absent="BasicBlock")
        expect(cfg, "maxpool", False, absent=True)
        channels = cfg.wholes("channels")
        settings = {
            "name": "ResNet9",
            "channels": channels,
            "blocks": cfg.wholes("layers"),
            "strides": cfg.wholes("strides"),
        }
        in_channels = cfg.take("in_channel", 1)
        used = [each for each, blocks in zip(channels, settings["blocks"], strict=False) if blocks]
        if not used:
            raise ConfigError(f"{cfg.at('layers')}: expected a block in one of the layers or more")
        width = used[-1]
    elif kind == "Plain":
        layers = cfg.texts("layers_cfg")
        settings = {"name": "Plain", "layers": layers}
        in_channels = cfg.take("in_channels", 1)
        # Such as BC-64 or FC-128; M stands for pooling.
        last = next((each for each in reversed(layers) if each != "M"), "")
        found = re.fullmatch(r"[A-Z]+-([0-9]{1,6})(-.*)?", last)
        if found is None:
            raise ConfigError(
                f"{cfg.at('layers_cfg')}: expected layers such as 'BC-64', got {shortened(layers)}"
            )
        width = int(found[1])
    else:
        raise ConfigError(f"{cfg.at('type')}: expected 'ResNet9' or 'Plain', got {kind!r}")
    if in_channels != 1:
        settings["in_channels"] = in_channels
    return settings, width


_TRUNK = "Backbone.forward_block"

# Names of the tensors of a frame-by-frame backbone, and of a head on parts.
BACKBONE = (
    (r"backbone\.0\.0\.weight", f"{_TRUNK}.conv1.conv.weight"),
    (r"backbone\.0\.1\.(\w+)", rf"{_TRUNK}.bn1.\1"),
    (r"backbone\.(\d)\.(\d+)\.shortcut\.(.+)", rf"{_TRUNK}.layer\1.\2.downsample.\3"),
    (r"backbone\.(\d)\.(\d+)\.(.+)", rf"{_TRUNK}.layer\1.\2.\3"),
    (r"backbone\.(\d+)\.weight", rf"{_TRUNK}.feature.\1.conv.weight"),
)
HEAD = (
    (r"head\.part_linear\.weight", "FCs.fc_bin"),
    (r"head\.neck\.bn\.(\w+)", r"BNNecks.bn1d.\1"),
    (r"head\.neck\.classifier\.weight", "BNNecks.fc_bin"),
)

CONVERTERS = (
    Converter(
        foreign=("Baseline", "GaitBase"),
        model="GaitBase",
        settings=network_settings,
        names=(*BACKBONE, *HEAD),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        # Three channels are those of a depth image in colours: the model is LidarGait then.
        modalities=lambda settings: [
            "depth" if settings["backbone"].get("in_channels") == 3 else "silhouettes"
        ],
    ),
    Converter(
        foreign=("ScoNet",),
        model="ScoNet",
        settings=_diagnosis,
        names=(*BACKBONE, *HEAD),
        fields={"triplet": ("before_neck",), "softmax": ("logits",)},
        targets=frozenset({"softmax"}),
        output="logits",
    ),
)
