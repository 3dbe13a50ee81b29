"""U-Net: a small network that tells the foreground of images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gait.layers.projection import Projection


class UNet(nn.Module):
    """An encoder that halves maps step by step, and a decoder that takes each step back.

    Args:
        in_channels: channels of an image.
        channels: channels of the encoder's steps; the decoder has them in reverse.

    Source: Ronneberger et al., U-Net, MICCAI 2015, arXiv 1505.04597.
    """

    def __init__(self, in_channels: int = 3, channels: Sequence[int] = (16, 32, 64, 128)) -> None:
        super().__init__()
        steps = list(pairwise(reversed(channels)))
        self.encoder = nn.ModuleList(
            nn.Sequential(*_convolution(inner, outer), *_convolution(outer, outer))
            for inner, outer in pairwise([in_channels, *channels])
        )
        self.halving = nn.MaxPool2d(2)
        self.rises = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), *_convolution(inner, outer))
            for inner, outer in steps
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(*_convolution(2 * outer, outer), *_convolution(outer, outer))
            for _, outer in steps
        )
        self.last = Projection(channels[0], 1, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [m, 1, h, w] of images [m, in_channels, h, w].

        Raises:
            ValueError: a size that cannot be halved often enough.
        """
        factor = 2 ** len(self.rises)
        if images.shape[2] % factor or images.shape[3] % factor:
            raise ValueError(
                f"images have shape {list(images.shape)}; height and width must be multiples of "
                f"{factor}"
            )
        maps = images
        levels: list[Tensor] = []
        for index, block in enumerate(self.encoder):
            maps = block(self.halving(maps) if index else maps)
            levels.append(maps)
        for level, rise, block in zip(levels[-2::-1], self.rises, self.decoder, strict=True):
            maps = block(torch.cat([level, rise(maps)], 1))
        logits: Tensor = self.last(maps)
        return logits


def _convolution(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
