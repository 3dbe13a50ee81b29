"""GaitPart: body parts that move on their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from gait import registry
from gait.layers.frames import fold_frames
from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.initialise import initialise
from gait.layers.part_linear import PartLinear
from gait.layers.sequences import per_sequence
from gait.layers.temporal_aggregation import TemporalAggregation
from gait.types import ModelOutput


class GaitPart(nn.Module):
    """Per-frame backbone, horizontal parts, a temporal aggregation of each part.

    Args:
        backbone: name and parameters of a backbone that works frame by frame, with focal
            convolutions in the paper.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        squeeze: by how much the aggregation narrows its channels inside.

    Source: Fan et al., GaitPart: Temporal Part-Based Model for Gait Recognition, CVPR 2020.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        embedding_channels: int = 128,
        bins: Sequence[int] = (16,),
        squeeze: int = 4,
    ) -> None:
        super().__init__()
        self.backbone = registry.build("backbone", backbone)
        channels = self.backbone.out_channels
        self.horizontal_pooling = HorizontalPooling(bins)
        parts = self.horizontal_pooling.parts
        self.aggregation = TemporalAggregation(parts, channels, squeeze)
        self.part_linear = PartLinear(parts, channels, embedding_channels)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p].

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1 or maps [n, s, c, h, w]; packed
                on the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        parts = self.horizontal_pooling(self.backbone(frames))
        return ModelOutput(
            self.part_linear(per_sequence(parts, lengths, self.aggregation)).float()
        )
