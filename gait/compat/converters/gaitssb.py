"""Both stages of GaitSSB of OpenGait."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gait.compat.converters.converter import Converter, expect
from gait.compat.converters.gaitbase import BACKBONE, backbone_settings
from gait.compat.foreign import Section
from gait.errors import ConfigError

_BINS = [16, 8, 4, 2, 1]


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone, _ = backbone_settings(cfg.section("backbone_cfg"))
    expect(cfg, "parts_num", sum(_BINS))
    for key in ("backbone_lr", "projector_lr"):
        # They belong to the recipe.
        cfg.take(key)
    return {"backbone": backbone, "bins": _BINS}


def interleaved(tensors: list[Tensor], training: bool) -> list[Tensor]:
    """There, all first views of a training batch come before all second views."""
    if not training:
        return tensors
    return [each.view(2, -1, *each.shape[1:]).transpose(0, 1).flatten(0, 1) for each in tensors]


def _finetuning(cfg: Section) -> dict[str, Any]:
    """Learning rates layer by layer; the stem and layers with none keep their weights."""
    model, trainer = cfg.section("model_cfg"), cfg.section("trainer_cfg")
    rates = model.numbers("backbone_lr")
    if len(rates) != 4:
        raise ConfigError(f"{model.at('backbone_lr')}: expected 4 learning rates, got {rates!r}")
    frozen = ["encoder.backbone.0.*"]
    groups: list[dict[str, Any]] = []
    for index, rate in enumerate(rates, 1):
        if rate:
            groups.append({"match": f"encoder.backbone.{index}.*", "lr": rate})
        else:
            frozen.append(f"encoder.backbone.{index}.*")
    groups.append({"match": "encoder.projector.*", "lr": model.need("projector_lr")})
    trainer.take("fix_BN")
    scheduler = cfg.section("scheduler_cfg")
    expect(scheduler, "scheduler", "MultiStepLR", absent="MultiStepLR")
    return {
        "parameters": [{"match": frozen, "frozen": True}, *groups],
        "scheduler": {
            "name": "MultiStepFloor",
            "milestones": scheduler.take("milestones"),
            "gamma": scheduler.take("gamma", 0.1),
            "floor": 1e-4,
            "every": 1000,
        },
    }


_ENCODER = (
    *((rf"encoder\.{ours}", foreign) for ours, foreign in BACKBONE),
    (r"encoder\.projector\.(\d)\.weight", r"projector.\1.fc_bin"),
    (r"encoder\.projector\.(\d)\.bn\.(\w+)", r"projector.\1.bn1d.\2"),
)

CONVERTERS = (
    Converter(
        foreign=("GaitSSB_Pretrain",),
        model="GaitSSBPretrain",
        settings=_settings,
        names=(
            *_ENCODER,
            (r"predictor\.(\d)\.weight", r"predictor.\1.fc_bin"),
            (r"predictor\.(\d)\.bn\.(\w+)", r"predictor.\1.bn1d.\2"),
        ),
        fields={
            "softmax1": ("prediction_1", "target_2"),
            "softmax2": ("prediction_2", "target_1"),
        },
        losses={"softmax1": "Contrastive", "softmax2": "Contrastive"},
        inputs=interleaved,
    ),
    Converter(
        foreign=("GaitSSB_Finetune",),
        model="GaitSSBFinetune",
        settings=_settings,
        names=(*_ENCODER, (r"head\.weight", "head0.fc_bin")),
        fields={"triplet": ("embeddings",)},
        recipe=_finetuning,
    ),
)
