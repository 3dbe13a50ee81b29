"""Horizontal pooling by a generalised mean whose exponent is learnt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.layers.horizontal_pooling import HorizontalPooling


class GeMPooling(HorizontalPooling):
    """Cuts a map into horizontal strips and describes each by its generalised mean.

    The exponent decides between the mean (1) and the maximum (infinity). Values below `floor`
    count as `floor`, since powers need positive numbers.

    Args:
        bins: numbers of strips; the strips of all scales follow each other.
        exponent: initial value of the exponent, one for all channels and strips.
        floor: smallest value of a pixel.

    Source: Radenovic et al., Fine-tuning CNN Image Retrieval with No Human Annotation,
    TPAMI 2019, arXiv 1711.02512; as used by GaitGL, arXiv 2011.01461.
    """

    def __init__(self, bins: Sequence[int], exponent: float = 6.5, floor: float = 1e-6) -> None:
        super().__init__(bins)
        self.exponent = nn.Parameter(torch.tensor([exponent]))
        self.floor = floor

    def described(self, strips: Tensor) -> Tensor:
        """One value [n, c, p] for the pixels of each strip [n, c, p, pixels]."""
        powers = strips.float().clamp(min=self.floor).pow(self.exponent)
        return powers.mean(3).pow(1 / self.exponent)
