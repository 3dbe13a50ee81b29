"""Temporal aggregation of body parts, each with weights of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PartConv1d(nn.Module):
    """Convolutions along time without bias, one per part, as one grouped convolution.

    Args:
        parts: number of parts p.
        in_channels: channels of a part.
        out_channels: channels of its image.
        kernel: size of the kernel, odd.
    """

    def __init__(self, parts: int, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, out_channels, in_channels, kernel))
        for each in self.weight:
            nn.init.xavier_uniform_(each)

    def forward(self, series: Tensor) -> Tensor:
        """Series [n, p * out_channels, s] of series [n, p * in_channels, s]."""
        parts, _, _, kernel = self.weight.shape
        return F.conv1d(series, self.weight.flatten(0, 1), padding=kernel // 2, groups=parts)


class TemporalAggregation(nn.Module):
    """Describes each part of a sequence by the strongest of its short motions.

    Two branches look at windows of 3 and of 5 frames: the mean plus the maximum of a window,
    weighted channel by channel by what two convolutions see there.

    Args:
        parts: number of parts p.
        channels: channels of a part.
        squeeze: the convolutions have channels / squeeze channels between them.

    Source: Fan et al., GaitPart: Temporal Part-Based Model for Gait Recognition, CVPR 2020,
    section 3.3.
    """

    def __init__(self, parts: int, channels: int, squeeze: int = 4) -> None:
        super().__init__()
        inner = channels // squeeze
        self.branches = nn.ModuleList(
            nn.Sequential(
                PartConv1d(parts, channels, inner, 3),
                nn.LeakyReLU(inplace=True),
                PartConv1d(parts, inner, channels, kernel),
                nn.Sigmoid(),
            )
            for kernel in (1, 3)
        )
        self.windows = (3, 5)

    def forward(self, sequences: Tensor) -> Tensor:
        """Parts [n, c, p] of sequences of equal length [n, s, c, p]."""
        n, _, channels, parts = sequences.shape
        series = sequences.permute(0, 3, 2, 1).flatten(1, 2)
        total: Tensor | None = None
        for gate, window in zip(self.branches, self.windows, strict=True):
            # Beyond its ends a sequence counts as zero in the mean, as for published weights.
            mean = F.avg_pool1d(series, window, 1, window // 2)
            highest = F.max_pool1d(series, window, 1, window // 2)
            weighted = gate(series) * (mean + highest)
            total = weighted if total is None else total + weighted
        assert total is not None
        return total.max(2).values.view(n, parts, channels).transpose(1, 2)
