"""BigGait on DINOv2."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, Tensors, bn_neck, expect, part_linear
from gait.compat.foreign import Section
from gait.layers.dinov2 import from_original, to_original

_PREFIX = "backbone."


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone = cfg.section("backbone_cfg")
    expect(backbone, "type", "ResNet9")
    expect(backbone, "block", "BasicBlock", absent="BasicBlock")
    expect(backbone, "maxpool", False, absent=True)
    channels, bins = backbone.wholes("channels"), cfg.wholes("bin_num")
    mask = cfg.section("Mask_Branch")
    width = mask.whole("source_dim")
    expect(mask, "target_dim", 2)
    expect(mask, "softmax", True)
    expect(mask, "Up", True)
    denoising, appearance = cfg.section("Denoising_Branch"), cfg.section("Appearance_Branch")
    map_channels = denoising.whole("target_dim")
    for branch, learnt in ((denoising, True), (appearance, False)):
        expect(branch, "source_dim", 4 * width)
        expect(branch, "target_dim", map_channels)
        expect(branch, "p", 0)
        expect(branch, "softmax", learnt)
        expect(branch, "Relu", learnt)
        expect(branch, "Up", False)
    fusion = cfg.section("AttentionFusion")
    expect(fusion, "in_channels", channels[0])
    expect(fusion, "feat_len", 2)
    embedding_channels = part_linear(cfg.section("SeparateFCs"), channels[-1], sum(bins))
    image, side = cfg.whole("image_size"), cfg.whole("sils_size")
    return {
        "num_classes": bn_neck(cfg.section("SeparateBNNecks"), embedding_channels, sum(bins)),
        "weights": cfg.take("pretrained_dinov2"),
        "mask_weights": cfg.take("pretrained_mask_branch"),
        "transformer": {"hidden_size": width},
        "frame_px": [2 * image, image],
        "map_size": [2 * side, side],
        "map_channels": map_channels,
        "mask_dropout": mask.need("p"),
        "squeeze": fusion.need("squeeze_ratio"),
        "channels": channels,
        "blocks": backbone.wholes("layers"),
        "strides": backbone.wholes("strides"),
        "embedding_channels": embedding_channels,
        "bins": bins,
    }


def _regroup(state: Tensors) -> Tensors:
    return _transformer(state, from_original)


def _ungroup(state: Tensors) -> Tensors:
    return _transformer(state, to_original)


def _transformer(state: Tensors, convert: Any) -> Tensors:
    own = {name[len(_PREFIX) :]: each for name, each in state.items() if name.startswith(_PREFIX)}
    others = {name: each for name, each in state.items() if not name.startswith(_PREFIX)}
    return others | {_PREFIX + name: each for name, each in convert(own).items()}


def _stem(ours: str, foreign: str) -> tuple[tuple[str, str], ...]:
    stem = f"gait_net.{foreign}.forward_block"
    return (
        (rf"{ours}\.0\.0\.weight", f"{stem}.conv1.conv.weight"),
        (rf"{ours}\.0\.1\.(\w+)", rf"{stem}.bn1.\1"),
        (rf"{ours}\.1\.(\d+)\.shortcut\.(.+)", rf"{stem}.layer1.\1.downsample.\2"),
        (rf"{ours}\.1\.(\d+)\.(.+)", rf"{stem}.layer1.\1.\2"),
    )


_TRUNK = "gait_net.post_backbone.forward_block.layer"

CONVERTERS = (
    Converter(
        foreign=("BigGait__Dinov2_Gaitbase",),
        model="BigGait",
        modalities=lambda settings: ["rgb", "ratio"],
        settings=_settings,
        names=(
            (r"dinov2\.vit\.(.+)", rf"{_PREFIX}\1"),
            (r"mask_branch\.norm\.(\w+)", r"Mask_Branch.bn_s.\1"),
            (r"mask_branch\.reduce\.(\w+)", r"Mask_Branch.down_sampling.\1"),
            (r"mask_branch\.restore\.(\w+)", r"Mask_Branch.up_sampling.\1"),
            (r"denoising\.0\.(\w+)", r"Denoising_Branch.bn_s.\1"),
            (r"denoising\.1\.(\w+)", r"Denoising_Branch.down_sampling.0.\1"),
            (r"denoising\.2\.(\w+)", r"Denoising_Branch.down_sampling.1.\1"),
            (r"denoising\.4\.(\w+)", r"Denoising_Branch.down_sampling.3.\1"),
            (r"appearance\.0\.(\w+)", r"Appearance_Branch.bn_s.\1"),
            (r"appearance\.1\.(\w+)", r"Appearance_Branch.down_sampling.\1"),
            (r"appearance\.2\.(\w+)", r"Appearance_Branch.bn_t.\1"),
            *_stem(r"stems\.0", "pre_part"),
            *_stem(r"stems\.1", "pre_rgb"),
            (r"fusion\.scores\.(.+)", r"gait_net.fusion.conv.forward_block.\1"),
            *(
                entry
                for index in range(3)
                for entry in (
                    (
                        rf"trunk\.{index}\.(\d+)\.shortcut\.(.+)",
                        rf"{_TRUNK}{index + 2}.\1.downsample.\2",
                    ),
                    (rf"trunk\.{index}\.(\d+)\.(.+)", rf"{_TRUNK}{index + 2}.\1.\2"),
                )
            ),
            (r"head\.part_linear\.weight", "gait_net.FCs.fc_bin"),
            (r"head\.neck\.bn\.(\w+)", r"gait_net.BNNecks.bn1d.\1"),
            (r"head\.neck\.classifier\.weight", "gait_net.BNNecks.fc_bin"),
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        terms={
            "shape_connect": 0.02,
            "shape_mse": 1.0,
            "part_connect": 0.01,
            "part_diversity": 5.0,
        },
        # Layers that are there and never applied to anything.
        aside=(r"(Mask|Denoising)_Branch\.bn_t\..+",),
        regroup=_regroup,
        ungroup=_ungroup,
    ),
)
