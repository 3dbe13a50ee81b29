"""FoundationGait, first stage: a student sees strips of what its teacher sees whole."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.foundation_encoder import FoundationEncoder
from gait.layers.initialise import initialise
from gait.layers.views import two_views
from gait.types import ModelOutput


class FoundationGaitPretrain(nn.Module):
    """The student predicts the teacher's projection of another view of the sequence.

    The teacher has no gradients: it follows the student (key `ema` of the experiment), and it is
    what embeds.

    Args:
        channels: channels of the four stages.
        blocks: residual blocks of each stage.
        bins: strips of the horizontal pooling.
        crops: numbers of strips that the student's frames are cut into, one for each of as many
            groups of sequences.

    Source: Ye et al., Silhouette-based Gait Foundation Model, 2025, arXiv 2512.00691.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 4, 8, 4),
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        crops: Sequence[int] = (8, 4, 2, 1),
    ) -> None:
        super().__init__()
        self.crops = tuple(crops)
        self.student = FoundationEncoder(channels, blocks, bins)
        initialise(self.student)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, c, p]: the teacher's predictions, of length one over c.

        In training, rows 0, 2, ... are the first and rows 1, 3, ... the second views of n / 2
        sequences. The embeddings are then the student's predictions for the second views, and the
        fields, each [n / 2, c, p], 'prediction', the same before normalisation, and 'target',
        the teacher's projection of the first views.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence; none in training.
        """
        if not self.training:
            prediction = self.teacher.predictor(self.teacher(inputs[0], lengths)).float()
            return ModelOutput(F.normalize(prediction, dim=1))
        (first, _), (second, _) = two_views(inputs[0], lengths)
        with torch.no_grad():
            target = self.teacher(first, None)
        prediction = self.student.predictor(self.student(second, None, self.crops)).float()
        fields = {"prediction": prediction, "target": target}
        return ModelOutput(F.normalize(prediction, dim=1), fields)
