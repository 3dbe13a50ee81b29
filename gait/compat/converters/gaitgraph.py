"""GaitGraph1 and GaitGraph2 of OpenGait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gait.compat.converters.converter import Converter, expect
from gait.compat.foreign import Section
from gait.errors import ConfigError

_JOINTS = {"coco": 17, "alphapose": 18, "openpose": 18, "coco-no-head": 12}


def num_joints(cfg: Section) -> int:
    """Number of joints of a foreign `joint_format`.

    Raises:
        ConfigError: no such format.
    """
    name = cfg.text("joint_format")
    if name not in _JOINTS:
        raise ConfigError(
            f"{cfg.at('joint_format')}: expected one of {', '.join(_JOINTS)}, got {name!r}"
        )
    return _JOINTS[name]


def _settings(streams: int) -> Callable[[Section, str | None], dict[str, Any]]:
    def settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
        expect(cfg, "input_num", streams)
        expect(cfg, "block", "Bottleneck")
        branch = cfg.wholes("input_branch")
        entry, *trunk = cfg.wholes("main_stream")
        if entry != branch[-1]:
            raise ConfigError(
                f"{cfg.at('main_stream')}: expected the {branch[-1]} channels that input_branch "
                f"ends with first, got {entry}"
            )
        return {
            "num_joints": num_joints(cfg),
            "branch": branch,
            "trunk": trunk,
            "reduction": cfg.need("reduction"),
            "embedding_channels": cfg.need("num_class"),
            "tta": bool(cfg.take("tta", False)),
        }

    return settings


def _two_views(tensors: list[Tensor], training: bool) -> list[Tensor]:
    """Joints [n, 3, s, v, 1] as [n, s, v, 3].

    In training, the two halves of the frames are views of one sequence, which become rows beside
    each other.
    """
    poses = tensors[0].squeeze(4).permute(0, 2, 3, 1)
    if training:
        poses = torch.stack(poses.chunk(2, dim=1), dim=1).flatten(0, 1)
    return [poses]


def _streams(tensors: list[Tensor], training: bool) -> list[Tensor]:
    """Streams of joints [n, s, v, 3, 5] as [n, s, v, 15]."""
    return [tensors[0].flatten(3)]


# Where modules are, and what is in them.
_MODULES = (
    (r"backbone\.branches\.(\d+)\.layers\.(\d+)\.", r"ResGCN.head.\1.layers.\2."),
    (r"backbone\.trunk\.(\d+)\.", r"ResGCN.backbone.\1."),
)
_PARTS = (
    ("importance", "edge"),
    (r"spatial\.(?:inner\.)?projection\.(?P<of>\w+)", r"scn.conv.gcn.\g<of>"),
    (r"temporal\.(?:inner\.)?(?P<of>weight|bias)", r"tcn.conv.\g<of>"),
    (r"spatial(?:_bn|\.inner_bn)\.(?P<of>\w+)", r"scn.bn.\g<of>"),
    (r"temporal(?:_bn|\.inner_bn)\.(?P<of>\w+)", r"tcn.bn.\g<of>"),
    (r"spatial\.(?P<at>down|up)\.(?P<of>\w+)", r"scn.conv_\g<at>.\g<of>"),
    (r"temporal\.(?P<at>down|up)\.(?P<of>\w+)", r"tcn.conv_\g<at>.\g<of>"),
    (r"spatial\.(?P<at>down|up)_bn\.(?P<of>\w+)", r"scn.bn_\g<at>.\g<of>"),
    (r"temporal\.(?P<at>down|up)_bn\.(?P<of>\w+)", r"tcn.bn_\g<at>.\g<of>"),
    (r"spatial\.residual\.(?P<of>.+)", r"scn.residual.\g<of>"),
    (r"temporal\.residual\.(?P<of>.+)", r"tcn.residual.\g<of>"),
)
_NAMES = (
    *((module + part, there + name) for module, there in _MODULES for part, name in _PARTS),
    (r"backbone\.branches\.(\d+)\.bn\.(\w+)", r"ResGCN.head.\1.bn.\2"),
    (r"backbone\.head\.(\w+)", r"ResGCN.fcn.\1"),
)
# The adjacency, once for each stream.
_ASIDE = (r"ResGCN\.head\.\d+\.A",)
_FIELDS = {"SupConLoss": ("embeddings",)}

CONVERTERS = (
    Converter(
        foreign=("GaitGraph1",),
        model="GaitGraph1",
        modalities=lambda settings: ["pose"],
        settings=_settings(1),
        names=_NAMES,
        fields=_FIELDS,
        aside=_ASIDE,
        inputs=_two_views,
    ),
    Converter(
        foreign=("GaitGraph2",),
        model="GaitGraph2",
        modalities=lambda settings: ["pose"],
        settings=_settings(3),
        names=_NAMES,
        fields=_FIELDS,
        aside=_ASIDE,
        inputs=_streams,
    ),
)
