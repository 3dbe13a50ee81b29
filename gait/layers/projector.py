"""Part-wise perceptrons that contrastive training puts behind an encoder."""

from __future__ import annotations

from torch import nn

from gait.layers.part_batch_norm import PartBatchNorm
from gait.layers.part_linear import PartLinear


class Projector(nn.Sequential):
    """Maps parts [n, channels, p] to where they are compared: two normalised linear layers.

    Args:
        parts: number of parts p.
        channels: channels of a part.
        out_channels: channels of the hidden layer and of the result; `channels` when not given.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos: A
    Benchmark, TPAMI 2023, arXiv 2206.13964, section 4.
    """

    def __init__(self, parts: int, channels: int, out_channels: int | None = None) -> None:
        width = out_channels or channels
        super().__init__(
            PartLinear(parts, channels, width),
            PartBatchNorm(parts, width),
            nn.ReLU(inplace=True),
            PartLinear(parts, width, width),
            PartBatchNorm(parts, width),
        )


class Predictor(nn.Sequential):
    """Guesses, from the projection of one view, that of the other; [n, channels, p] both.

    Args:
        parts: number of parts p.
        channels: channels of a part.

    Source: as `Projector`; first in Grill et al., Bootstrap Your Own Latent, NeurIPS 2020,
    arXiv 2006.07733.
    """

    def __init__(self, parts: int, channels: int) -> None:
        super().__init__(
            PartLinear(parts, channels, channels),
            PartBatchNorm(parts, channels),
            nn.ReLU(inplace=True),
            PartLinear(parts, channels, channels),
        )
