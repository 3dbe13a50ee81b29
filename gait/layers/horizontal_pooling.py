"""Horizontal pyramid pooling: a feature map becomes a row of body parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class HorizontalPooling(nn.Module):
    """Cuts a map into horizontal strips and describes each by its mean plus its maximum.

    Args:
        bins: numbers of strips; the strips of all scales follow each other.

    Source: Fu et al., Horizontal Pyramid Matching for Person Re-identification, AAAI 2019,
    arXiv 1804.05275; as used by GaitSet.
    """

    def __init__(self, bins: Sequence[int]) -> None:
        super().__init__()
        self.bins = tuple(bins)

    @property
    def parts(self) -> int:
        """Number of strips of all scales."""
        return sum(self.bins)

    def forward(self, maps: Tensor) -> Tensor:
        """Parts [n, c, p] of maps [n, c, h, w].

        Raises:
            ValueError: a number of strips does not divide the map.
        """
        height, width = maps.shape[2:]
        for each in self.bins:
            if height * width % each:
                raise ValueError(
                    f"bins: {each} strips do not divide a map of {height} x {width}; change bins "
                    "or the input size"
                )
        flat = maps.flatten(2)
        scales = [flat.view(*flat.shape[:2], each, -1) for each in self.bins]
        return torch.cat([self.described(strips) for strips in scales], 2)

    def described(self, strips: Tensor) -> Tensor:
        """One value [n, c, p] for the pixels of each strip [n, c, p, pixels]."""
        return strips.mean(3) + strips.amax(3)
