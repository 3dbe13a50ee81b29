"""How steep maps are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def steepness(maps: Tensor) -> Tensor:
    """Length of the Sobel gradient of each channel, [m, c, h - 2, w - 2] of maps [m, c, h, w].

    Source: Sobel and Feldman, A 3x3 Isotropic Gradient Operator for Image Processing, 1968.
    """
    smooth, slope = torch.tensor([1.0, 2.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0])
    kernels = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])
    planes = maps.float().flatten(0, 1).unsqueeze(1)
    slopes = F.conv2d(planes, kernels.unsqueeze(1).to(maps.device))
    # The root's slope is infinite at zero, which is where most of a mask is.
    length = (slopes.square().sum(1) + 1e-8).sqrt()
    return length.view(*maps.shape[:2], *length.shape[1:])
