"""Convolutions that see a whole body and its parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.focal import by_strips


class GlobalLocalConv(nn.Module):
    """Two 3x3x3 convolutions without bias: one of whole maps, one of strips, shared by them.

    Args:
        in_channels: channels of the maps.
        out_channels: channels of each of the two results.
        halving: the maps are cut into 2^halving strips.
        stacked: lay the two results below each other instead of adding them.

    Source: Lin et al., Gait Recognition via Effective Global-Local Feature Representation and
    Local Temporal Aggregation, ICCV 2021, arXiv 2011.01461, section 3.3.
    """

    def __init__(
        self, in_channels: int, out_channels: int, halving: int, *, stacked: bool = False
    ) -> None:
        super().__init__()
        self.strips = 2**halving
        self.stacked = stacked
        self.whole = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)
        self.local = nn.Conv3d(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [n, out_channels, s, h, w], or [..., 2 h, w] if stacked, of [n, c, s, h, w]."""
        whole = F.leaky_relu(self.whole(maps), inplace=True)
        local = F.leaky_relu(by_strips(maps, self.strips, self.local), inplace=True)
        return torch.cat([whole, local], 3) if self.stacked else whole + local
