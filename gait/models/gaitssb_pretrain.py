"""GaitSSB, first stage: learning from walks whose subjects nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.initialise import initialise
from gait.layers.part_encoder import PartEncoder
from gait.layers.projector import Predictor
from gait.layers.views import two_views
from gait.types import ModelOutput


class GaitSSBPretrain(nn.Module):
    """Two views of a sequence predict each other's projection.

    Args:
        backbone: name and parameters of a backbone that works frame by frame.
        bins: strips of the horizontal pooling.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos: A
    Benchmark, TPAMI 2023, arXiv 2206.13964.
    """

    def __init__(self, backbone: dict[str, Any], bins: Sequence[int] = (16, 8, 4, 2, 1)) -> None:
        super().__init__()
        self.encoder = PartEncoder(backbone, bins)
        self.predictor = Predictor(self.encoder.parts, self.encoder.channels)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, c, p]: predictions, of length one over c.

        In training, rows 0, 2, ... are the first and rows 1, 3, ... the second views of n / 2
        sequences, and the fields are, each [n / 2, c, p], 'prediction_1' and 'target_1' of the
        first views, 'prediction_2' and 'target_2' of the second; view by view, each normalised
        over its own batch.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        if not self.training:
            _, prediction = self._projected(inputs[0], lengths)
            return ModelOutput(F.normalize(prediction, dim=1))
        first, second = two_views(inputs[0], lengths)
        target_1, prediction_1 = self._projected(*first)
        target_2, prediction_2 = self._projected(*second)
        predictions = torch.stack([prediction_1, prediction_2], 1).flatten(0, 1)
        fields = {
            "prediction_1": prediction_1,
            "target_1": target_1,
            "prediction_2": prediction_2,
            "target_2": target_2,
        }
        return ModelOutput(F.normalize(predictions, dim=1), fields)

    def _projected(self, frames: Tensor, lengths: list[int] | None) -> tuple[Tensor, Tensor]:
        """What the other view is to predict of these sequences, and what they predict of it."""
        projection = self.encoder(frames, lengths)
        return projection, self.predictor(projection).float()
