"""FoundationGait's features under one linear classifier of categories."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.foundation_encoder import FoundationEncoder
from gait.layers.initialise import initialise
from gait.layers.part_bn_neck import PartBNNeck
from gait.types import ModelOutput


class FoundationGaitLinearProbing(nn.Module):
    """All projected parts as one vector, batch-normalised and classified.

    How much of the encoder learns, nothing by the published recipe, is up to the experiment
    (`parameters`). The predictor of the first stage is kept, as published weights hold it, and
    not used.

    Args:
        num_categories: categories of the dataset, such as diagnoses.
        channels: channels of the four stages.
        blocks: residual blocks of each stage.
        bins: strips of the horizontal pooling.
        crops: numbers of strips that frames are cut into in training, as in the first stage, one
            for each of as many groups of sequences; none leaves them whole.

    Source: Ye et al., Silhouette-based Gait Foundation Model, 2025, arXiv 2512.00691.
    """

    def __init__(
        self,
        num_categories: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 4, 32, 16),
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        crops: Sequence[int] = (1,),
    ) -> None:
        super().__init__()
        self.crops = tuple(crops)
        self.encoder = FoundationEncoder(channels, blocks, bins)
        self.encoder.predictor.requires_grad_(False)
        width = self.encoder.channels * self.encoder.parts
        self.neck = PartBNNeck(1, width, num_categories)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, num_categories, 1], which are the logits, as is the field 'logits'.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence; none in training.
        """
        crops = self.crops if self.training else ()
        parts = F.normalize(self.encoder(inputs[0], lengths, crops), dim=1)
        _, logits = self.neck(parts.flatten(1).unsqueeze(2))
        return ModelOutput(logits.float(), {"logits": logits.float()})
