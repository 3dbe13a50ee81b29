"""GaitEdge of OpenGait, with its plain end-to-end variant."""

from __future__ import annotations

from typing import Any

from gait.compat.converters import gaitgl, segmentation
from gait.compat.converters.converter import Converter
from gait.compat.foreign import Section


def _settings(cfg: Section, dataset: str | None) -> dict[str, Any]:
    segmenter = cfg.section("Segmentation")
    edge = bool(cfg.need("edge"))
    # They belong to the recipe.
    segmenter.take("freeze_half")
    cfg.take("seg_lr")
    # The size of GaitGL does not depend on the dataset here.
    recogniser = gaitgl.settings(cfg.section("GaitGL"), None)
    return {
        "num_classes": recogniser["num_classes"],
        "edge": edge,
        "align": bool(cfg.take("align", True)),
        # The published plain end-to-end configuration lacks it, and has no use for it.
        "kernel_size": cfg.need("kernel_size") if edge else cfg.take("kernel_size", 3),
        "channels": recogniser["channels"],
        **segmentation.u_net(segmenter),
    }


def _recipe(cfg: Section) -> dict[str, Any]:
    model = cfg.section("model_cfg")
    groups = segmentation.frozen_half(model.section("Segmentation"), "segmenter")
    groups.append({"match": ["segmenter.*"], "lr": model.number("seg_lr")})
    return {"parameters": groups}


CONVERTERS = (
    Converter(
        foreign=("GaitEdge",),
        model="GaitEdge",
        modalities=lambda settings: ["ratio", "rgb", "masks"],
        settings=_settings,
        names=(*gaitgl.names(r"recogniser\."), *segmentation.names(r"segmenter\.")),
        fields={
            "triplet": ("embeddings",),
            "softmax": ("logits",),
            "bce": ("probabilities", "masks"),
        },
        recipe=_recipe,
    ),
)
