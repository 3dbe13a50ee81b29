"""Segmentation of OpenGait, the first phase of GaitEdge."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, Tensors, expect
from gait.compat.foreign import Section
from gait.types import ModelOutput

# Our block, and within it the places of convolutions and their normalisations.
_BLOCKS = (
    ("encoder.0", "Conv1.conv"),
    ("encoder.1", "Conv2.conv"),
    ("encoder.2", "Conv3.conv"),
    ("encoder.3", "Conv4.conv"),
    ("rises.0", "Up4.up"),
    ("rises.1", "Up3.up"),
    ("rises.2", "Up2.up"),
    ("decoder.0", "Up_conv4.conv"),
    ("decoder.1", "Up_conv3.conv"),
    ("decoder.2", "Up_conv2.conv"),
)


def u_net(cfg: Section) -> dict[str, Any]:
    """Our arguments of a U-Net."""
    expect(cfg, "type", "U_Net")
    return {"in_channels": cfg.take("in_channels", 3)}


def names(prefix: str) -> tuple[tuple[str, str], ...]:
    """(pattern of our tensor names, foreign name) of the U-Net below `prefix`."""
    patterns = [(rf"{ours}\.(\d)\.(\w+)", rf"{foreign}.\1.\2") for ours, foreign in _BLOCKS]
    patterns.append((r"last\.(\w+)", r"Conv_1x1.\1"))
    return tuple((prefix + pattern, f"Backbone.{foreign}") for pattern, foreign in patterns)


def frozen_half(cfg: Section, prefix: str) -> list[dict[str, Any]]:
    """The group of parameters of a U-Net's encoder below `prefix`, if it keeps its values.

    There it does so unless told otherwise, even where it starts from random ones.
    """
    if not cfg.take("freeze_half", True):
        return []
    return [{"match": [f"{prefix}.encoder.*"], "frozen": True}]


def _recipe(cfg: Section) -> dict[str, Any]:
    groups = frozen_half(cfg.section("model_cfg").section("backbone_cfg"), "segmenter")
    return {"parameters": groups} if groups else {}


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone = cfg.section("backbone_cfg")
    # It belongs to the recipe.
    backbone.take("freeze_half")
    return u_net(backbone)


def _inference(output: ModelOutput) -> Tensors:
    return {name: output[name] for name in ("pred", "mask")}


CONVERTERS = (
    Converter(
        foreign=("Segmentation",),
        model="Segmentation",
        modalities=lambda settings: ["rgb", "masks"],
        settings=_settings,
        names=names(r"segmenter\."),
        fields={"bce": ("probabilities", "masks")},
        output="iou",
        recipe=_recipe,
        inference=_inference,
    ),
)
