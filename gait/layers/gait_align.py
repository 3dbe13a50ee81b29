"""Aligns walkers within a network, so that gradients reach what found them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gait.layers.roi_align import roi_align


def gait_align(
    maps: Tensor, masks: Tensor, ratios: Tensor, height_px: int = 64, width_px: int = 44
) -> Tensor:
    """Each frame's walker, filling the height and centred, [m, c, height_px, width_px].

    The box reaches from the first to the last row of the mask and lies around the column that
    halves its mass, so wide that walkers keep their proportions. A frame with an empty mask
    becomes 0.

    Args:
        maps: what to align, [m, c, h, w].
        masks: where the walker is, [m, 1, h, w], 0..1.
        ratios: width over height in the scene of what the image [h, w] shows, [m]; 0 gives a box
            of the image's whole width.

    Source: Liang et al., GaitEdge, ECCV 2022, arXiv 2203.03972, section 3.4 (GaitAlign).
    """
    margin = width_px // 2
    boxes, found = _boxes(masks.detach(), ratios, height_px, width_px)
    boxes[:, ::2] = (boxes[:, ::2] + margin).clamp(0, maps.shape[3] + 2 * margin)
    aligned = roi_align(F.pad(maps, (margin, margin)), boxes, height_px, width_px)
    return aligned * found.view(-1, 1, 1, 1)


@torch.no_grad()
def _boxes(masks: Tensor, ratios: Tensor, height_px: int, width_px: int) -> tuple[Tensor, Tensor]:
    """Left, top, right and bottom of walkers, [m, 4], and whether there is one, [m]."""
    masks = masks.flatten(0, 1)
    rows = (masks.sum(2) >= 1).to(masks.dtype)
    top = rows.argmax(1)
    bottom = rows.shape[1] - rows.flip(1).argmax(1)
    mass = masks.sum(1).cumsum(1)
    centre = (mass < mass[:, -1:] / 2).sum(1)
    height, width = masks.shape[1:]
    # Beside the box as wide as high, what makes up the result's width. Its scale is that of an
    # image which the walker fills: published weights were trained so.
    beside = (width_px - height_px * ratios).clamp(min=0) * width / (height_px * ratios)
    half = ((bottom - top) * width / height + beside) / 2
    boxes = torch.stack(
        [centre - half, top.to(half.dtype), centre + half, bottom.to(half.dtype)], 1
    )
    return boxes, rows.any(1)
