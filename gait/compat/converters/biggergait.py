"""BiggerGait on DINOv2."""

from __future__ import annotations

from typing import Any

from gait.compat.converters.converter import Converter, Tensors, bn_neck, expect, part_linear
from gait.compat.foreign import Section


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    backbone = cfg.section("backbone_cfg")
    expect(backbone, "type", "ResNet9")
    expect(backbone, "block", "BasicBlock", absent="BasicBlock")
    expect(backbone, "maxpool", False, absent=True)
    map_channels = cfg.whole("num_unknown")
    expect(backbone, "in_channel", map_channels)
    mask = cfg.section("Mask_Branch")
    expect(mask, "source_dim", cfg.need("source_dim"))
    expect(mask, "target_dim", 2)
    expect(mask, "softmax", True)
    channels, bins = backbone.wholes("channels"), cfg.wholes("bin_num")
    embedding_channels = part_linear(cfg.section("SeparateFCs"), channels[-1], sum(bins))
    image, side = cfg.whole("image_size"), cfg.whole("sils_size")
    return {
        "num_classes": bn_neck(cfg.section("SeparateBNNecks"), embedding_channels, sum(bins)),
        "weights": cfg.take("pretrained_lvm"),
        "mask_weights": cfg.take("pretrained_mask_branch"),
        "transformer": {
            "hidden_size": cfg.need("source_dim"),
            "blocks": cfg.need("total_layer_num"),
        },
        "frame_px": [2 * image, image],
        "map_size": [2 * side, side],
        "layers_per_group": cfg.need("group_layer_num"),
        "map_channels": map_channels,
        "heads": cfg.need("head_num"),
        "channels": channels,
        "blocks": backbone.wholes("layers"),
        "strides": backbone.wholes("strides"),
        "embedding_channels": embedding_channels,
        "bins": bins,
    }


def _regroup(state: Tensors) -> Tensors:
    """Names of the library's `Dinov2Model` before its version 5, as those since."""
    return {
        name.replace(".attention.attention.query.", ".attention.q_proj.")
        .replace(".attention.attention.key.", ".attention.k_proj.")
        .replace(".attention.attention.value.", ".attention.v_proj.")
        .replace(".attention.output.dense.", ".attention.o_proj."): each
        for name, each in state.items()
    }


_NET = r"Gait_Net.real_gait.\1"
_EARLY, _LATE = f"{_NET}.pre_rgb.forward_block", f"{_NET}.post_backbone.forward_block"

CONVERTERS = (
    Converter(
        foreign=("BiggerGait__DINOv2",),
        model="BiggerGait",
        modalities=lambda settings: ["rgb"],
        settings=_settings,
        names=(
            (r"dinov2\.vit\.(.+)", r"Backbone.\1"),
            (r"mask_branch\.norm\.(\w+)", r"Mask_Branch.bn_s.\1"),
            (r"mask_branch\.reduce\.(\w+)", r"Mask_Branch.down_sampling.\1"),
            (r"mask_branch\.restore\.(\w+)", r"Mask_Branch.up_sampling.\1"),
            (r"projections\.(.+)", r"HumanSpace_Conv.\1"),
            (r"backbones\.(\d+)\.0\.0\.weight", f"{_EARLY}.conv1.conv.weight"),
            (r"backbones\.(\d+)\.0\.1\.(\w+)", rf"{_EARLY}.bn1.\2"),
            (
                r"backbones\.(\d+)\.1\.(\d+)\.shortcut\.(.+)",
                rf"{_EARLY}.layer1.\2.downsample.\3",
            ),
            (r"backbones\.(\d+)\.1\.(\d+)\.(.+)", rf"{_EARLY}.layer1.\2.\3"),
            (
                r"backbones\.(\d+)\.(\d)\.(\d+)\.shortcut\.(.+)",
                rf"{_LATE}.layer\2.\3.downsample.\4",
            ),
            (r"backbones\.(\d+)\.(\d)\.(\d+)\.(.+)", rf"{_LATE}.layer\2.\3.\4"),
            (r"heads\.(\d+)\.part_linear\.weight", f"{_NET}.FCs.fc_bin"),
            (r"heads\.(\d+)\.neck\.bn\.(\w+)", rf"{_NET}.BNNecks.bn1d.\2"),
            (r"heads\.(\d+)\.neck\.classifier\.weight", f"{_NET}.BNNecks.fc_bin"),
        ),
        fields={"triplet": ("embeddings",), "softmax": ("logits",)},
        # Second names of the shared networks; a layer that is never applied to anything.
        aside=(r"Gait_Net\.Gait_List\..+", r"Mask_Branch\.bn_t\..+"),
        regroup=_regroup,
    ),
)
