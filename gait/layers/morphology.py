"""Growing and shrinking of masks."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def dilate(masks: Tensor, size: int) -> Tensor:
    """Largest value in the square of `size` pixels, an odd number, around each of [m, c, h, w].

    What lies outside the mask does not count.
    """
    return F.max_pool2d(masks, size, stride=1, padding=size // 2)


def erode(masks: Tensor, size: int) -> Tensor:
    """Smallest value in the square around each pixel; otherwise as `dilate`."""
    return -dilate(-masks, size)
