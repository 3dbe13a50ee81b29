"""The stages of FoundationGait of OpenGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import (
    Converter,
    Tensors,
    bn_neck,
    expect,
    part_linear,
)
from gait.compat.converters.deepgaitv2 import (
    HEAD_NAMES,
    Names,
    flatten_kernels,
    raise_kernels,
    trunk_names,
    trunk_settings,
)
from gait.compat.converters.gaitssb import interleaved
from gait.compat.foreign import Section
from gait.errors import ConfigError


def _encoder_settings(cfg: Section) -> dict[str, Any]:
    backbone = cfg.section("Backbone")
    expect(backbone, "mode", "p3d")
    settings = trunk_settings(backbone)
    del settings["mode"]
    bins = cfg.wholes("bin_num")
    expect(cfg, "parts_num", sum(bins))
    return settings | {"bins": bins}


def _pretraining(cfg: Section, dataset: str | None) -> dict[str, Any]:
    # It belongs to the recipe.
    cfg.take("EMA_value")
    return _encoder_settings(cfg) | {"crops": cfg.listed("crop_list")}


def _encoder_names(ours: str, theirs: str) -> Names:
    return (
        *trunk_names(rf"{ours}\.backbone", f"{theirs}."),
        (rf"{ours}\.(projector|predictor)\.(\d)\.weight", rf"{theirs}.\1.\2.fc_bin"),
        (rf"{ours}\.(projector|predictor)\.(\d)\.bn\.(\w+)", rf"{theirs}.\1.\2.bn1d.\3"),
    )


def _finetuning(cfg: Section, dataset: str | None) -> dict[str, Any]:
    settings = _started(cfg)
    embedding_channels = part_linear(cfg.section("SeparateFCs"), 512, sum(settings["bins"]))
    neck = cfg.section("SeparateBNNecks")
    return settings | {
        "num_classes": bn_neck(neck, embedding_channels, sum(settings["bins"])),
        "embedding_channels": embedding_channels,
    }


def _probing(cfg: Section, dataset: str | None) -> dict[str, Any]:
    settings = _started(cfg)
    # There is none in this model.
    cfg.section("SeparateFCs").take("in_channels")
    for key in cfg.section("SeparateFCs").given():
        cfg.section("SeparateFCs").take(key)
    neck = cfg.section("SeparateBNNecks")
    return settings | {"num_categories": bn_neck(neck, 512 * sum(settings["bins"]), 1)}


def _started(cfg: Section) -> dict[str, Any]:
    """Settings of a stage that starts from the first one's encoder."""
    for key in ("backbone_lr", "projector_lr"):
        # They belong to the recipe.
        cfg.take(key)
    return _encoder_settings(cfg) | {"crops": cfg.listed("crop_list")}


def _teacher(cfg: Section) -> dict[str, Any]:
    momentum = cfg.section("model_cfg").take("EMA_value", 0.99)
    return {"ema": {"source": "student", "target": "teacher", "momentum": momentum}}


def _rates(cfg: Section) -> dict[str, Any]:
    """Learning rates layer by layer; those of 0 learn nothing."""
    model = cfg.section("model_cfg")
    rates = model.numbers("backbone_lr")
    if len(rates) != len(_STAGES):
        raise ConfigError(f"{model.at('backbone_lr')}: expected 5 learning rates, got {rates!r}")
    groups = [
        {"match": f"encoder.backbone.{stage}.*", "lr": rate}
        for stage, rate in zip(_STAGES, rates, strict=True)
    ]
    groups.append({"match": "encoder.projector.*", "lr": model.need("projector_lr")})
    return {"parameters": groups}


def _with_student(tensors: Tensors) -> Tensors:
    """Take a checkpoint of the teacher alone for both: the student starts from it."""
    teacher, student = "teacher_backbone.", "student_backbone."
    copied = {
        name.replace(teacher, student, 1): each
        for name, each in tensors.items()
        if name.startswith(teacher)
    }
    return flatten_kernels(copied | tensors)


# Layers 0 to 4 there.
_STAGES = ("frame_stages.0", "frame_stages.1", "clip_stages.0", "clip_stages.1", "clip_stages.2")
_PROBING = "FoundationGait_Scaling_LinearProbing"

CONVERTERS = (
    Converter(
        foreign=("FoundationGait_Scaling",),
        model="FoundationGaitPretrain",
        settings=_pretraining,
        names=(
            *_encoder_names("student", "student_backbone"),
            *_encoder_names("teacher", "teacher_backbone"),
        ),
        fields={"softmax": ("prediction", "target")},
        losses={"softmax": "Contrastive"},
        inputs=interleaved,
        recipe=_teacher,
        one_sequence=True,
        regroup=_with_student,
        ungroup=raise_kernels,
    ),
    Converter(
        foreign=("FoundationGait_Scaling_Finetune",),
        model="FoundationGaitFinetune",
        settings=_finetuning,
        names=(*_encoder_names("encoder", "teacher_backbone"), *HEAD_NAMES),
        fields={"triplet": ("before_neck",), "softmax": ("logits",)},
        recipe=_rates,
        regroup=flatten_kernels,
        ungroup=raise_kernels,
    ),
    Converter(
        foreign=(f"{_PROBING}_Scoliosis1K", f"{_PROBING}_D_Gait", f"{_PROBING}_RAGAR"),
        model="FoundationGaitLinearProbing",
        settings=_probing,
        names=(
            *_encoder_names("encoder", "teacher_backbone"),
            (r"neck\.bn\.(\w+)", r"BNNecks.bn1d.\1"),
            (r"neck\.classifier\.weight", "BNNecks.fc_bin"),
        ),
        fields={"softmax": ("logits",)},
        targets=frozenset({"softmax"}),
        output="logits",
        recipe=_rates,
        regroup=flatten_kernels,
        ungroup=raise_kernels,
    ),
)
