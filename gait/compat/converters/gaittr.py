"""GaitTR of OpenGait."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gait.compat.converters.converter import Converter
from gait.compat.converters.gaitgraph import num_joints
from gait.compat.foreign import Section


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    return {
        "num_joints": num_joints(cfg),
        "channels": cfg.wholes("in_channels"),
        "embedding_channels": cfg.need("num_class"),
    }


def _joints_first(tensors: list[Tensor], training: bool) -> list[Tensor]:
    """Joints [n, s, c, v, 1] as [n, s, v, c]."""
    return [tensors[0].squeeze(4).transpose(2, 3)]


CONVERTERS = (
    Converter(
        foreign=("GaitTR",),
        model="GaitTR",
        modalities=lambda settings: ["pose"],
        settings=_settings,
        names=(
            (r"bn\.(\w+)", r"data_bn.\1"),
            (r"blocks\.(\d)\.temporal\.layer\.(\w+)", r"backbone.\1.tcn.conv.\2"),
            (r"blocks\.(\d)\.temporal\.bn\.(\w+)", r"backbone.\1.tcn.bn.\2"),
            (r"blocks\.(\d)\.joint_bn\.(\w+)", r"backbone.\1.st.data_bn.\2"),
            (
                r"blocks\.(\d)\.spatial\.layer\.entry\.(\w+)",
                r"backbone.\1.st.attention_conv.qkv_conv.\2",
            ),
            (
                r"blocks\.(\d)\.spatial\.layer\.exit\.(\w+)",
                r"backbone.\1.st.attention_conv.attn_out.\2",
            ),
            (r"blocks\.(\d)\.spatial\.bn\.(\w+)", r"backbone.\1.st.bn.\2"),
            (r"blocks\.(\d)\.shortcut\.(.+)", r"backbone.\1.residual_s.\2"),
            (r"blocks\.(\d)\.residual\.layer\.(\w+)", r"backbone.\1.down.conv.\2"),
            (r"blocks\.(\d)\.residual\.bn\.(\w+)", r"backbone.\1.down.bn.\2"),
            (r"head\.(\w+)", r"fcn.\1"),
        ),
        fields={"triplet": ("embeddings",)},
        inputs=_joints_first,
    ),
)
