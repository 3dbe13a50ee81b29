"""Two maps of one scene, mixed pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gait.layers.projection import Projection


class AttentionFusion(nn.Module):
    """A weighted sum of maps whose weights are scored from all of them.

    Args:
        channels: channels of each map.
        squeeze: by how much the inner layers are narrower.
        sources: number of maps.
        kernel: size of the middle convolution's kernel.
        interleaved: score channel c * sources + d belongs to channel c of source d; otherwise all
            scores of the first source come first.

    Source: Fan et al., SkeletonGait: Gait Recognition Using Skeleton Maps, AAAI 2024,
    arXiv 2311.13444, section 4.
    """

    def __init__(
        self,
        channels: int,
        squeeze: int = 16,
        sources: int = 2,
        *,
        kernel: int = 3,
        interleaved: bool = False,
    ) -> None:
        super().__init__()
        self.sources = sources
        self.interleaved = interleaved
        inner = channels // squeeze
        self.scores = nn.Sequential(
            Projection(channels * sources, inner),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, kernel, padding=kernel // 2, bias=False)
            if kernel > 1
            else Projection(inner, inner),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            Projection(inner, channels * sources),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """One map [m, c, h, w] of `sources` maps of that shape."""
        scores = self.scores(torch.cat(maps, 1))
        if self.interleaved:
            weights = scores.unflatten(1, (-1, self.sources)).softmax(2).unbind(2)
        else:
            weights = scores.unflatten(1, (self.sources, -1)).softmax(1).unbind(1)
        first, *others = (each * weight for each, weight in zip(maps, weights, strict=True))
        return sum(others, first)
