"""FoundationGait, second stage: the pretrained encoder under a part-wise head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.foundation_encoder import FoundationEncoder
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.types import ModelOutput


class FoundationGaitFinetune(nn.Module):
    """Projected parts of length one, then an embedding and a classifier for each.

    Which layers learn, and how fast, is up to the experiment (`parameters`). The predictor of the
    first stage is kept, as published weights hold it, and not used.

    Args:
        num_classes: identities of the training set.
        channels: channels of the four stages.
        blocks: residual blocks of each stage.
        bins: strips of the horizontal pooling.
        embedding_channels: channels of each part's embedding.
        crops: numbers of strips that frames are cut into in training, as in the first stage, one
            for each of as many groups of sequences; none leaves them whole.

    Source: Ye et al., Silhouette-based Gait Foundation Model, 2025, arXiv 2512.00691.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 4, 8, 4),
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        embedding_channels: int = 256,
        crops: Sequence[int] = (8, 4, 2, 1, 8, 4, 2, 1),
    ) -> None:
        super().__init__()
        self.crops = tuple(crops)
        self.encoder = FoundationEncoder(channels, blocks, bins)
        self.encoder.predictor.requires_grad_(False)
        self.head = PartHead(self.encoder.channels, num_classes, embedding_channels, bins)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence; none in training.
        """
        parts = self.encoder(inputs[0], lengths, self.crops if self.training else ())
        return self.head.of_parts(F.normalize(parts, dim=1))
