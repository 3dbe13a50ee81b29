"""SwinGait of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, Tensors, expect
from gait.compat.converters.deepgaitv2 import (
    HEAD_NAMES,
    flatten_kernels,
    raise_kernels,
    trunk_names,
)
from gait.compat.foreign import Section

_PATCHES = "transformer.patch_embed.proj.weight"


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone, neck = cfg.section("Backbone"), cfg.section("SeparateBNNecks")
    expect(backbone, "mode", "p3d")
    bins = cfg.wholes("bin_num")
    embedding_channels = neck.whole("in_channels")
    expect(neck, "parts_num", sum(bins) + 1)
    settings = {
        "num_classes": neck.whole("class_num"),
        "channels": [*backbone.wholes("channels"), 256, 512],
        "blocks": backbone.wholes("layers"),
        "embedding_channels": embedding_channels,
        "bins": bins,
    }
    in_channels = backbone.take("in_channels", 1)
    return settings if in_channels == 1 else settings | {"in_channels": in_channels}


def _recipe(cfg: Section) -> dict[str, Any]:
    """The schedule and the groups of parameters that the model itself manages there."""
    trainer = cfg.section("trainer_cfg")
    return {
        "parameters": [
            {"match": ["backbone.*", "head.*"], "lr_scale": 0.1},
            {"match": ["transformer.patches*", "*norm*", "*bias_table"], "weight_decay": 0.0},
        ],
        "scheduler": {
            "name": "CosineFloor",
            "t_max": trainer.take("T_max_iter", trainer.take("total_iter")),
            "floor": 1e-6,
            "every": 1000,
        },
    }


def _regroup(tensors: Tensors) -> Tensors:
    """Kernels over one frame lose their time axis."""
    tensors = flatten_kernels(tensors)
    return {
        name: each.squeeze(2) if name == _PATCHES and each.dim() == 5 else each
        for name, each in tensors.items()
    }


def _ungroup(tensors: Tensors) -> Tensors:
    tensors = raise_kernels(tensors)
    return {
        name: each.unsqueeze(2) if name == _PATCHES else each for name, each in tensors.items()
    }


_BLOCK = r"transformer\.stages\.(\d)\.(\d+)\."
_THERE = r"transformer.layers.\1.blocks.\2."

CONVERTERS = (
    Converter(
        foreign=("SwinGait",),
        model="SwinGait",
        settings=_settings,
        names=(
            (r"transformer\.patches\.(\w+)", r"transformer.patch_embed.proj.\1"),
            (r"transformer\.patches_norm\.(\w+)", r"transformer.patch_embed.norm.\1"),
            (rf"{_BLOCK}attention\.bias_table", rf"{_THERE}attn.relative_position_bias_table"),
            (rf"{_BLOCK}attention\.(.+)", rf"{_THERE}attn.\3"),
            (rf"{_BLOCK}perceptron\.0\.(\w+)", rf"{_THERE}mlp.fc1.\3"),
            (rf"{_BLOCK}perceptron\.2\.(\w+)", rf"{_THERE}mlp.fc2.\3"),
            (rf"{_BLOCK}(norm.+)", rf"{_THERE}\3"),
            (
                r"transformer\.widenings\.(\d)\.norm\.(\w+)",
                r"transformer.layers.\1.downsample.0.\2",
            ),
            (
                r"transformer\.widenings\.(\d)\.linear\.(\w+)",
                r"transformer.layers.\1.downsample.1.\2",
            ),
            (r"transformer\.norm\.(\w+)", r"transformer.norm.\1"),
            *trunk_names("backbone"),
            *HEAD_NAMES,
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        recipe=_recipe,
        aside=(r".+\.relative_position_index",),
        regroup=_regroup,
        ungroup=_ungroup,
    ),
)
