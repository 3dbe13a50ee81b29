"""Batch normalisation of body parts."""

from __future__ import annotations

from torch import Tensor, nn


class PartBatchNorm(nn.Module):
    """Normalises each (channel, part) over the batch.

    Args:
        parts: number of parts p.
        channels: channels c of a part.
    """

    def __init__(self, parts: int, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(channels * parts)

    def forward(self, parts: Tensor) -> Tensor:
        """Parts [n, c, p] of parts [n, c, p]."""
        normalised: Tensor = self.bn(parts.flatten(1))
        return normalised.view(parts.shape)
