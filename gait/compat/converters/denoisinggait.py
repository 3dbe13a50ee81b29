"""DenoisingGait."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, bn_neck, expect, part_linear
from gait.compat.foreign import Section

_OPTIONAL = {
    "r": "temporal_radius",
    "p": "suppressed",
    "threshold": "threshold",
    "eroded_kernel": "eroded_kernel",
}


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone = cfg.section("backbone_cfg")
    expect(backbone, "type", "ResNet9")
    expect(backbone, "block", "BasicBlock", absent="BasicBlock")
    expect(backbone, "maxpool", False, absent=True)
    expect(cfg, "test_da", False, absent=False)
    channels, bins = backbone.wholes("channels"), cfg.wholes("bin_num")
    embedding_channels = part_linear(cfg.section("SeparateFCs"), channels[-1], sum(bins))
    return {
        "num_classes": bn_neck(cfg.section("SeparateBNNecks"), embedding_channels, sum(bins)),
        "channels": channels,
        "blocks": backbone.wholes("layers"),
        "strides": backbone.wholes("strides"),
        "embedding_channels": embedding_channels,
        "bins": bins,
        # Some published files leave one out; its default there is ours.
        **{ours: cfg.take(theirs) for theirs, ours in _OPTIONAL.items() if theirs in cfg},
    }


def _backbone(ours: str, foreign: str) -> tuple[tuple[str, str], ...]:
    trunk = rf"Backbone.{foreign}.forward_block"
    return (
        (rf"{ours}\.0\.0\.weight", f"{trunk}.conv1.conv.weight"),
        (rf"{ours}\.0\.1\.(\w+)", rf"{trunk}.bn1.\1"),
        (rf"{ours}\.(\d)\.(\d+)\.shortcut\.(.+)", rf"{trunk}.layer\1.\2.downsample.\3"),
        (rf"{ours}\.(\d)\.(\d+)\.(.+)", rf"{trunk}.layer\1.\2.\3"),
    )


_LAST = "Backbone.post_backbone.forward_block.layer4"

CONVERTERS = (
    Converter(
        foreign=("DenoisingGait",),
        model="DenoisingGait",
        modalities=lambda settings: ["latent", "masks"],
        settings=_settings,
        names=(
            (r"within\.0\.(\w+)ers\.(\d)\.(.+)", r"AF.\1er\2.forward_block.\3"),
            (r"within\.1\.(\w+)ers\.(\d)\.(.+)", r"AF2.\1er\2.forward_block.\3"),
            (r"within\.2\.(\w+)ers\.(\d)\.(.+)", r"AF3.\1er\2.forward_block.\3"),
            (r"between\.query\.(.+)", r"AppF.q_encoder.forward_block.\1"),
            (r"between\.key\.(.+)", r"AppF.k_encoder.forward_block.\1"),
            *_backbone("within_backbone", "pre_noise"),
            *_backbone("between_backbone", "pre_attn"),
            (r"fusion\.scores\.(.+)", r"Backbone.fusion.conv.forward_block.\1"),
            (r"trunk\.(\d+)\.shortcut\.(.+)", rf"{_LAST}.\1.downsample.\2"),
            (r"trunk\.(\d+)\.(.+)", rf"{_LAST}.\1.\2"),
            (r"head\.part_linear\.weight", "Backbone.FCs.fc_bin"),
            (r"head\.neck\.bn\.(\w+)", r"Backbone.BNNecks.bn1d.\1"),
            (r"head\.neck\.classifier\.weight", "Backbone.BNNecks.fc_bin"),
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
    ),
)
