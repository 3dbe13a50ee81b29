"""Two maps of one scene, mixed pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gait.layers.projection import Projection


def squeezed(
    in_channels: int, inner_channels: int, out_channels: int, kernel: int
) -> nn.Sequential:
    """Scores of each pixel by three convolutions, narrow inside; the middle one has `kernel`."""
    middle: nn.Conv2d = Projection(inner_channels, inner_channels)
    if kernel > 1:
        middle = nn.Conv2d(inner_channels, inner_channels, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(
        Projection(in_channels, inner_channels),
        nn.BatchNorm2d(inner_channels),
        nn.ReLU(inplace=True),
        middle,
        nn.BatchNorm2d(inner_channels),
        nn.ReLU(inplace=True),
        Projection(inner_channels, out_channels),
    )


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
        width = channels * sources
        self.scores = squeezed(width, channels // squeeze, width, kernel)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """One map [m, c, h, w] of `sources` maps of that shape."""
        scores: Tensor = self.scores(torch.cat(maps, 1))
        axis, split = (2, (-1, self.sources)) if self.interleaved else (1, (self.sources, -1))
        weights = scores.view(len(scores), *split, *scores.shape[2:]).softmax(axis).unbind(axis)
        first, *others = (each * weight for each, weight in zip(maps, weights, strict=True))
        mixed: Tensor = sum(others, first)
        return mixed
