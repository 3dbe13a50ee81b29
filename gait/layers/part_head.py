"""What most models end with: horizontal parts, one embedding a part, a batch-normalised neck."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.part_bn_neck import PartBNNeck
from gait.layers.part_linear import PartLinear
from gait.types import ModelOutput


class PartHead(nn.Module):
    """Turns the map of a whole sequence into embeddings and identity logits of its parts.

    Args:
        channels: channels of the map.
        num_classes: identities of the training set.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        after_neck: compare the normalised features after the neck, not those before it.
        more_parts: parts that `of_parts` gets beside those of the pooling.

    Source: Fan et al., OpenGait: Revisiting Gait Recognition Toward Better Practicality,
    CVPR 2023, arXiv 2211.06597, section 4.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
        *,
        after_neck: bool = False,
        more_parts: int = 0,
    ) -> None:
        super().__init__()
        self.after_neck = after_neck
        self.pooling = HorizontalPooling(bins)
        parts = self.pooling.parts + more_parts
        self.part_linear = PartLinear(parts, channels, embedding_channels)
        self.neck = PartBNNeck(parts, embedding_channels, num_classes)

    def forward(self, maps: Tensor) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] of maps [n, c, h, w].

        Fields: 'before_neck', which triplet losses read, like the embeddings; 'logits' [n, k, p].
        """
        return self.of_parts(self.pooling(maps))

    def of_parts(self, parts: Tensor) -> ModelOutput:
        """What `forward` gives, of parts [n, c, p] instead of maps."""
        before = self.part_linear(parts).float()
        after, logits = self.neck(before)
        embeddings = after.float() if self.after_neck else before
        return ModelOutput(embeddings, {"before_neck": before, "logits": logits.float()})
