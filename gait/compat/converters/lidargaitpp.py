"""LidarGait++ of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, Tensors, bn_neck, part_linear
from gait.compat.foreign import Section
from gait.errors import ConfigError

_GROUPINGS = {"knn": "knn", "ball_query": "ball", "query_ball": "ball", "ball": "ball"}


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    pooling = cfg.text("pool")
    bins = cfg.wholes("scale", [1, 2, 4, 8, 16])
    if pooling == "VLAD":
        raise ConfigError(
            f"{cfg.at('pool')}: the tensors of 'VLAD' cannot be converted, as no published "
            "configuration uses it; give another"
        )
    parts = 1 if pooling == "GMaxP" else sum(bins)
    grouping = cfg.text("sampling", "knn")
    if grouping not in _GROUPINGS:
        raise ConfigError(
            f"{cfg.at('sampling')}: expected one of {sorted(_GROUPINGS)}, got {grouping!r}"
        )
    embedding_channels = part_linear(cfg.section("SeparateFCs"), 256, parts)
    return {
        "num_classes": bn_neck(cfg.section("SeparateBNNecks"), embedding_channels, parts),
        "channels": cfg.need("channel"),
        "points": cfg.wholes("npoints"),
        "neighbours": cfg.need("nsample"),
        "grouping": _GROUPINGS[grouping],
        "scale_aware": cfg.need("scale_aware"),
        "normalise_radius": cfg.need("normalize_dp"),
        "pooling": pooling,
        "bins": bins,
        "embedding_channels": embedding_channels,
    }


def _is_map(name: str) -> bool:
    return ".mlp_convs." in name and name.endswith(".weight")


def _regroup(tensors: Tensors) -> Tensors:
    """Weights of 1x1 convolutions as those of linear maps."""
    return {
        name: each.flatten(1) if _is_map(name) and each.shape[2:] == (1, 1) else each
        for name, each in tensors.items()
    }


def _ungroup(tensors: Tensors) -> Tensors:
    return {
        name: each[:, :, None, None] if _is_map(name) else each for name, each in tensors.items()
    }


def _of_layers(ours: str, foreign: str) -> tuple[tuple[str, str], ...]:
    return (
        (rf"{ours}\.(\d)\.linear\.(\w+)", rf"{foreign}.mlp_convs.\1.\2"),
        (rf"{ours}\.(\d)\.bn\.(\w+)", rf"{foreign}.mlp_bns.\1.\2"),
    )


CONVERTERS = (
    Converter(
        foreign=("LidarGaitPlusPlus",),
        model="LidarGaitPP",
        modalities=lambda settings: ["points"],
        settings=_settings,
        names=(
            *_of_layers(r"stages\.0\.layers", "sa1"),
            *_of_layers(r"stages\.1\.layers", "sa2"),
            *_of_layers(r"stages\.2\.layers", "sa3"),
            *_of_layers("last", "sa4"),
            (r"part_linear\.weight", "FCs.fc_bin"),
            (r"neck\.bn\.(\w+)", r"BNNecks.bn1d.\1"),
            (r"neck\.classifier\.weight", "BNNecks.fc_bin"),
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        regroup=_regroup,
        ungroup=_ungroup,
    ),
)
