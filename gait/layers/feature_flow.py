"""Where the features of one map are found again in another."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def feature_flow(maps: Tensor, others: Tensor, radius: int) -> Tensor:
    """The expected step from each pixel to its match in other maps.

    A pixel is compared with the pixels of a square window around its place in the other map, by
    the product of features over the root of their number; the softmax over those inside the image
    is the chance of each to be the match.

    Args:
        maps: features of the pixels that look for a match, [m, c, h, w].
        others: features of the maps that they look in, of the same shape.
        radius: the window reaches this many pixels in each direction.

    Returns:
        Steps in x and y, [m, 2, h, w], in pixels.

    Source: Jin et al., On Denoising Walking Videos for Gait Recognition, CVPR 2025,
    arXiv 2505.18582.
    """
    channels, height, width = maps.shape[1:]
    queries = maps / channels**0.5
    padded = F.pad(others, [radius] * 4)
    # One window position at a time: the windows of all pixels at once would take c times as much.
    positions = [(y, x) for y in range(2 * radius + 1) for x in range(2 * radius + 1)]
    scores = torch.stack(
        [(queries * padded[:, :, y : y + height, x : x + width]).sum(1) for y, x in positions], 1
    )
    steps = torch.tensor(positions, device=maps.device, dtype=torch.float32) - radius
    rows = torch.arange(height, device=maps.device).view(-1, 1) + steps[:, 0].view(-1, 1, 1)
    columns = torch.arange(width, device=maps.device) + steps[:, 1].view(-1, 1, 1)
    outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    chances = scores.float().masked_fill(outside, -torch.inf).softmax(1)
    return torch.einsum("mkhw,kd->mdhw", chances, steps.flip(1))
