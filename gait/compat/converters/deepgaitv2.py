"""DeepGaitV2 of OpenGait, which its SkeletonGait is too."""

from __future__ import annotations

import re
from typing import Any

from gait.compat.converters.converter import Converter, Tensors
from gait.compat.foreign import Section

Names = tuple[tuple[str, str], ...]

# Kernels over clips that are one pixel wide: three-dimensional there, two-dimensional here.
_NARROW = re.compile(r"(.+\.)?(\w+_)?layer\d\.\d+\.(shortcut3d|downsample\.0)\.weight")


def trunk_settings(cfg: Section) -> dict[str, Any]:
    """Our settings of a foreign `Backbone` section."""
    settings = {
        "mode": cfg.need("mode"),
        "channels": cfg.wholes("channels"),
        "blocks": cfg.wholes("layers"),
    }
    in_channels = cfg.need("in_channels")
    return settings if in_channels == 1 else settings | {"in_channels": in_channels}


def stem_names(ours: str, theirs: str) -> Names:
    """Names of a stem.

    Args:
        ours: pattern of our module's name; it has no groups.
        theirs: name of the foreign module.
    """
    return ((rf"{ours}\.(.+)", rf"{theirs}.forward_block.\1"),)


def frame_stage_names(ours: str, theirs: str) -> Names:
    """Names of a stage of blocks on single frames; arguments as for `stem_names`."""
    there = rf"{theirs}.forward_block.\1"
    return (
        (rf"{ours}\.(\d+)\.shortcut\.(.+)", rf"{there}.downsample.\2"),
        (rf"{ours}\.(\d+\..+)", there),
    )


def clip_stage_names(ours: str, theirs: str) -> Names:
    """Names of a stage of blocks over clips; arguments as for `stem_names`."""
    there = rf"{theirs}.\1"
    return (
        (rf"{ours}\.(\d+)\.shortcut\.(.+)", rf"{there}.downsample.\2"),
        (rf"{ours}\.(\d+)\.temporal\.weight", rf"{there}.shortcut3d.weight"),
        (rf"{ours}\.(\d+)\.temporal_bn\.(\w+)", rf"{there}.sbn.\2"),
        (rf"{ours}\.(\d+)\.conv(\d)\.weight", rf"{there}.conv\2.forward_block.0.weight"),
        (rf"{ours}\.(\d+)\.bn(\d)\.(\w+)", rf"{there}.conv\2.forward_block.1.\3"),
        (rf"{ours}\.(\d+)\.volume(\d)\.weight", rf"{there}.conv\2.weight"),
        (rf"{ours}\.(\d+)\.volume(\d)_bn\.(\w+)", rf"{there}.bn\2.\3"),
    )


def trunk_names(ours: str, theirs: str = "") -> Names:
    """Names of a `DeepResidual`.

    Args:
        ours: pattern of our module's name; it has no groups.
        theirs: what stands before 'layer0' there.
    """
    names = stem_names(rf"{ours}\.frame_stages\.0", f"{theirs}layer0")
    for index in range(1, 5):
        layer = f"{theirs}layer{index}"
        names += frame_stage_names(rf"{ours}\.frame_stages\.{index}", layer)
        names += clip_stage_names(rf"{ours}\.clip_stages\.{index - 2}", layer)
    return names


HEAD_NAMES: Names = (
    (r"head\.part_linear\.weight", "FCs.fc_bin"),
    (r"head\.neck\.bn\.(\w+)", r"BNNecks.bn1d.\1"),
    (r"head\.neck\.classifier\.weight", "BNNecks.fc_bin"),
)


def flatten_kernels(tensors: Tensors) -> Tensors:
    """Foreign tensors with narrow kernels over clips made two-dimensional."""
    return {
        name: each.squeeze(-1) if _NARROW.fullmatch(name) and each.dim() == 5 else each
        for name, each in tensors.items()
    }


def raise_kernels(tensors: Tensors) -> Tensors:
    """`flatten_kernels` reversed."""
    return {
        name: each.unsqueeze(-1) if _NARROW.fullmatch(name) else each
        for name, each in tensors.items()
    }


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    settings = trunk_settings(cfg.section("Backbone"))
    settings["num_classes"] = cfg.section("SeparateBNNecks").whole("class_num")
    if cfg.take("use_emb2", False):
        settings["after_neck"] = True
    return settings


CONVERTERS = (
    Converter(
        foreign=("DeepGaitV2",),
        model="DeepGaitV2",
        modalities=lambda settings: [
            "skeleton_maps" if settings.get("in_channels") == 2 else "silhouettes"
        ],
        settings=_settings,
        names=trunk_names("backbone") + HEAD_NAMES,
        fields={"triplet": ("before_neck",), "softmax": ("logits",)},
        regroup=flatten_kernels,
        ungroup=raise_kernels,
    ),
)
