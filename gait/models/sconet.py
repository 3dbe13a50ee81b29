"""ScoNet: a diagnosis from the way somebody walks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from gait.models.gaitbase import GaitBase
from gait.types import ModelOutput


class ScoNet(GaitBase):
    """The network of GaitBase, of which test time reads the classification.

    Args:
        num_categories: categories to tell apart.
        backbone, embedding_channels, bins: as for `GaitBase`.

    Source: Zhou et al., Gait Patterns as Biomarkers: A Video-Based Approach for Classifying
    Scoliosis, MICCAI 2024, arXiv 2407.05726.
    """

    def __init__(
        self,
        num_categories: int,
        backbone: dict[str, Any],
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
    ) -> None:
        super().__init__(num_categories, backbone, embedding_channels, bins)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Logits [n, k, p] in place of embeddings, and fields as `PartHead` gives them.

        Args:
            inputs: as for `GaitBase`.
            lengths: frames of each packed sequence.
        """
        fields = super().forward(inputs, lengths).fields
        return ModelOutput(fields["logits"], fields)
