"""One linear map for each body part."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PartLinear(nn.Module):
    """Fully connected layers without bias, one per part, as one batched product.

    Args:
        parts: number of parts p.
        in_channels: channels of a part.
        out_channels: channels of its image.
        normalise: divide each weight column by its Euclidean length, so that the outputs of
            normalised parts are cosines.
    """

    def __init__(
        self, parts: int, in_channels: int, out_channels: int, *, normalise: bool = False
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.weight = nn.Parameter(torch.empty(parts, in_channels, out_channels))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, parts: Tensor) -> Tensor:
        """Images [n, out_channels, p] of parts [n, in_channels, p]."""
        weight = F.normalize(self.weight, dim=1) if self.normalise else self.weight
        return torch.bmm(parts.permute(2, 0, 1), weight).permute(1, 2, 0)
