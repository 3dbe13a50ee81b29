"""GaitPart of OpenGait."""

from __future__ import annotations

import re
from typing import Any

import torch

from gait.compat.converters.converter import Converter, Tensors, part_linear
from gait.compat.converters.gaitbase import backbone_settings
from gait.compat.foreign import Section

_TRUNK = "Backbone.forward_block"
_AGGREGATION = "TFA.pooling_func"
_BRANCHES = ("conv1d3x1", "conv1d3x3")


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone, width = backbone_settings(cfg.section("backbone_cfg"))
    bins = cfg.wholes("bin_num")
    return {
        "backbone": backbone,
        "embedding_channels": part_linear(cfg.section("SeparateFCs"), width, sum(bins)),
        "bins": bins,
    }


def _regroup(tensors: Tensors) -> Tensors:
    """The weights of all parts as one tensor; there, each part has a layer of its own."""
    found: dict[str, dict[int, str]] = {}
    for name in tensors:
        if match := re.fullmatch(rf"({re.escape(_AGGREGATION)}\.\w+)\.(\d+)(\..+)", name):
            found.setdefault(match[1] + match[3], {})[int(match[2])] = name
    grouped = dict(tensors)
    for name, pieces in found.items():
        shapes = {tensors[piece].shape for piece in pieces.values()}
        if set(pieces) == set(range(len(pieces))) and len(shapes) == 1:
            grouped[name] = torch.stack([grouped.pop(pieces[part]) for part in sorted(pieces)])
    return grouped


def _ungroup(tensors: Tensors) -> Tensors:
    pieces: Tensors = {}
    for name, tensor in tensors.items():
        if match := re.fullmatch(rf"({re.escape(_AGGREGATION)}\.\w+)(\..+)", name):
            for part, piece in enumerate(tensor):
                pieces[f"{match[1]}.{part}{match[2]}"] = piece
        else:
            pieces[name] = tensor
    return pieces


CONVERTERS = (
    Converter(
        foreign=("GaitPart",),
        model="GaitPart",
        settings=_settings,
        names=(
            (r"backbone\.(\d+)\.weight", rf"{_TRUNK}.feature.\1.conv.weight"),
            *(
                (
                    rf"aggregation\.branches\.{index}\.(\d)\.weight",
                    rf"{_AGGREGATION}.{branch}.\1.conv.weight",
                )
                for index, branch in enumerate(_BRANCHES)
            ),
            (r"part_linear\.weight", "Head.fc_bin"),
        ),
        fields={"triplet": ("embeddings",)},
        regroup=_regroup,
        ungroup=_ungroup,
    ),
)
