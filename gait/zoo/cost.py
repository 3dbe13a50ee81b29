"""How large a model is and how much it computes, without computing anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.fx.experimental import _config as experimental
from torch.utils.flop_counter import FlopCounterMode

from gait import registry
from gait.config.experiment import Experiment
from gait.data.inputs import derived_sizes, model_inputs
from gait.modalities import MODALITIES
from gait.ragged import Frames, Ragged

Shape = tuple[int, ...]

# What a frame is before an experiment's transforms where the modality leaves it open. h and w are
# `pretreat.size_px`, except of what no pretreatment makes; a pose has COCO's joints.
_SIZES: dict[str, dict[str, int]] = {
    "pose": {"v": 17},
    "points": {"p": 1024},
    "rgb": {"h": 256, "w": 128},
    "masks": {"h": 128, "w": 128},
    "latent": {"h": 96, "w": 48},
}
# Two inputs that show the same pixels have one size: that of CASIA-B*'s videos, of the latents.
_TOGETHER = {
    frozenset({"rgb", "masks"}): _SIZES["masks"],
    frozenset({"latent", "masks"}): _SIZES["latent"],
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes.

    Attributes:
        parameters: how many it has besides those that each class adds.
        parameters_per_class: how many one more identity, or category, adds.
        flops_per_frame: operations of convolutions and matrix products at test time, two for each
            multiply-add.
    """

    parameters: int
    parameters_per_class: int
    flops_per_frame: float


def frame_shapes(recipe: Experiment, size_px: int = 64) -> dict[str, Shape]:
    """Shapes of a test frame as the model gets it, by the name of the input.

    Args:
        size_px: height and width of images that the dataset's pretreatment makes.
    """
    chosen = dict(_SIZES)
    for pair, sizes in _TOGETHER.items():
        if pair <= set(recipe.inputs):
            chosen |= dict.fromkeys(pair, sizes)
    shapes = {}
    for each in model_inputs(recipe.inputs, recipe.embedding.transforms):
        parts: list[Frames] = []
        for name in each.modalities:
            free = {"h": size_px, "w": size_px, **chosen.get(name, {})}
            sides = MODALITIES[name].frame_shape
            shape = [free[side] if isinstance(side, str) else side for side in sides]
            frame = np.zeros((1, *shape), MODALITIES[name].dtypes[0])
            parts.append(Ragged.of(frame) if MODALITIES[name].is_ragged else frame)
        shapes[each.name] = each.made_of(parts, np.random.default_rng(0)).shape[1:]
    return shapes


def cost_of(recipe: Experiment, shapes: dict[str, Shape]) -> Cost:
    """Size and cost of a model for frames of these shapes.

    Tensors of torch's device 'meta' have a shape and no numbers, so nothing is computed, and no
    weights are needed. How many pixels belong to the walker is not known then: all may.

    Raises:
        MissingExtraError: the model needs an optional dependency.
    """
    inputs = model_inputs(recipe.inputs, [])
    sizes = derived_sizes(inputs, [shapes[each.name] for each in inputs])
    one, two = (_built(recipe, sizes, classes) for classes in (1, 2))
    first, second = (sum(each.numel() for each in model.parameters()) for model in (one, two))
    count = recipe.frames.count
    clip = [torch.zeros(1, count, *shapes[each.name], device="meta") for each in inputs]
    counter = FlopCounterMode(display=False)
    all_pixels = experimental.patch(meta_nonzero_assume_all_nonzero=True)  # type: ignore[attr-defined]
    with torch.no_grad(), torch.device("meta"), all_pixels, counter:
        one.eval()(clip)
    return Cost(2 * first - second, second - first, counter.get_total_flops() / count)


def _built(recipe: Experiment, sizes: dict[str, int], classes: int) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = registry.build(
            "model",
            recipe.model.settings,
            **sizes,
            num_classes=classes,
            num_categories=classes,
        )
    return model.to("meta")
