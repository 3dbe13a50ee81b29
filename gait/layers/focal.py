"""Convolutions of horizontal strips, each of which sees a part of the body and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def by_strips(maps: Tensor, strips: int, convolution: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a convolution to horizontal strips of maps, none of which sees its neighbours.

    Args:
        maps: maps [m, c, ..., h, w], of frames or of whole sequences.
        strips: into how many strips of equal height the maps are cut.
        convolution: keeps the size of a map.

    Returns:
        The strips laid below each other again, [m, out_channels, ..., h, w].

    Raises:
        ValueError: the strips do not divide the height.
    """
    height, width = maps.shape[-2:]
    if height % strips:
        raise ValueError(
            f"halving: {strips} strips do not divide a map of {height} x {width}; change the "
            "halving or the input size"
        )
    if strips == 1:
        return convolution(maps)
    # All strips as one batch.
    cut = torch.cat(maps.chunk(strips, -2))
    return torch.cat(convolution(cut).chunk(strips), -2)


class FocalConv2d(nn.Conv2d):
    """A convolution without bias of 2^halving strips, with the names of `torch.nn.Conv2d`.

    Args:
        in_channels: channels c of the maps.
        out_channels: channels of the result.
        halving: how often the height is halved; 0 gives a plain convolution.
        kernel: size of the kernel, odd.

    Source: Fan et al., GaitPart: Temporal Part-Based Model for Gait Recognition, CVPR 2020,
    section 3.2.
    """

    def __init__(self, in_channels: int, out_channels: int, halving: int, kernel: int = 3) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
        self.strips = 2**halving

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [m, out_channels, h, w] of maps [m, c, h, w]."""
        return by_strips(maps, self.strips, super().forward)
