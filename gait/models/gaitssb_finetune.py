"""GaitSSB, second stage: the pretrained encoder learns to tell subjects apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.initialise import initialise
from gait.layers.part_encoder import PartEncoder
from gait.layers.part_linear import PartLinear
from gait.types import ModelOutput


class GaitSSBFinetune(nn.Module):
    """The encoder of `GaitSSBPretrain` with one linear layer of unit columns a part.

    Which layers learn, and how fast, is up to the experiment (`parameters`).

    Args:
        backbone: name and parameters of a backbone that works frame by frame.
        bins: strips of the horizontal pooling.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos: A
    Benchmark, TPAMI 2023, arXiv 2206.13964.
    """

    def __init__(self, backbone: dict[str, Any], bins: Sequence[int] = (16, 8, 4, 2, 1)) -> None:
        super().__init__()
        self.encoder = PartEncoder(backbone, bins)
        channels = self.encoder.channels
        self.head = PartLinear(self.encoder.parts, channels, channels, normalise=True)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, c, p].

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        projection = self.encoder(inputs[0], lengths)
        return ModelOutput(self.head(F.normalize(projection, dim=1)).float())
