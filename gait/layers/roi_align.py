"""Cuts a box out of each map, brought to one size."""

from __future__ import annotations

import torch
from torch import Tensor

from gait.layers.precision import full_precision


def roi_align(maps: Tensor, boxes: Tensor, height_px: int, width_px: int) -> Tensor:
    """The content of one box of each map, [m, c, height_px, width_px].

    A pixel of the result is the mean of evenly spaced bilinear samples, as many in each direction
    as its part of the box has pixels, rounded up. Sampling and averaging rows and columns are
    independent of each other, so both are a matrix, and its gradient adds up in a fixed order.

    Args:
        maps: [m, c, h, w]; the first pixel's centre is at 0.
        boxes: left, top, right and bottom of each map's box, [m, 4], within the map; a box less
            than one pixel wide or high is widened to one. No gradient reaches them.

    Source: He et al., Mask R-CNN, ICCV 2017, arXiv 1703.06870, section 3 (RoIAlign).
    """
    left, top, right, bottom = boxes.detach().to(maps.dtype).unbind(1)
    rows = _samples(top, bottom, height_px, maps.shape[2])
    columns = _samples(left, right, width_px, maps.shape[3])
    with full_precision(maps):
        cut: Tensor = rows.unsqueeze(1) @ maps @ columns.transpose(1, 2).unsqueeze(1)
    return cut


def _samples(low: Tensor, high: Tensor, bins: int, size: int) -> Tensor:
    """What each of `size` pixels adds to each bin between `low` and `high`, [m, bins, size]."""
    pixels = torch.arange(size, device=low.device)
    step = ((high - low).clamp(min=1) / bins).view(-1, 1, 1)
    most = -(-size // bins)
    counts = step.ceil().clamp(max=most)
    starts = low.view(-1, 1, 1) + step * torch.arange(bins, device=low.device).view(-1, 1)
    weights = torch.zeros_like(starts * pixels)
    for index in range(most):
        places = starts + step * (index + 0.5) / counts
        valid = (index < counts) & (places >= -1) & (places <= size)
        distances = (places.clamp(0, size - 1) - pixels).abs()
        weights += (1 - distances).clamp(min=0) * valid
    return weights / counts
