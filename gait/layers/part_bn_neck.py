"""Batch-normalised neck with one classifier for each body part."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.part_linear import PartLinear


class PartBNNeck(nn.Module):
    """Normalises each (channel, part) over the batch, then classifies each part.

    Args:
        parts: number of parts p.
        channels: channels of a part.
        num_classes: number of identities k.
        cosine: features and weights are brought to length one, so that logits are cosines.

    Source: Luo et al., Bag of Tricks and a Strong Baseline for Deep Person Re-identification,
    CVPRW 2019, arXiv 1903.07071.
    """

    def __init__(
        self, parts: int, channels: int, num_classes: int, *, cosine: bool = True
    ) -> None:
        super().__init__()
        self.cosine = cosine
        self.bn = nn.BatchNorm1d(channels * parts)
        self.classifier = PartLinear(parts, channels, num_classes, normalise=cosine)

    def forward(self, parts: Tensor) -> tuple[Tensor, Tensor]:
        """Features [n, c, p] after the neck and logits [n, k, p] of parts [n, c, p]."""
        feature = self.bn(parts.flatten(1)).view(parts.shape)
        if self.cosine:
            feature = F.normalize(feature, dim=1)
        return feature, self.classifier(feature)
