"""Supervised contrast between all samples of a batch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.types import LossOutput

# The temperature of the paper, which the loss of dot products is relative to.
BASE_TEMPERATURE = 0.07


class SupCon(nn.Module):
    """Each sample has to find those of its label among all others.

    The loss of a sample is the mean of - log p over the other samples of its label, where p is
    the softmax over all samples but itself of similarity / temperature. Two views of a sequence
    are two samples of one label. A sample that is alone with its label has nothing to find and
    does not count.

    Args:
        temperature: what similarities are divided by.
        similarity: 'dot' for products of the features as they are, times temperature / 0.07, and
            the mean of all samples; 'distance' for minus the Euclidean distance of features that
            are brought to length one, and the mean of those samples whose loss is above zero.

    Source: Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, arXiv 2004.11362,
    equation 2.
    """

    fields = ("embeddings",)
    global_batch = True
    min_subjects = 2
    min_sequences = 2

    def __init__(
        self, temperature: float = 0.01, similarity: Literal["dot", "distance"] = "dot"
    ) -> None:
        super().__init__()
        if similarity not in ("dot", "distance"):
            raise ValueError(f"similarity is {similarity!r}, expected 'dot' or 'distance'")
        self.temperature = temperature
        self.similarity = similarity

    def forward(self, value: Tensor, labels: Tensor) -> LossOutput:
        """The loss of the batch.

        Args:
            value: embeddings [n, c, p], or features [n, c]; parts count as further channels.
            labels: identity of each sample, [n].

        Returns:
            Mean over samples; term 'loss', [].
        """
        features = value.float().flatten(1)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        alike = (labels.unsqueeze(0) == labels.unsqueeze(1)) & ~itself
        # The largest similarity is the sample's own and not among those compared, so it must not
        # be what exponents are relative to: at low temperatures all others would vanish.
        nothing = torch.finfo(features.dtype).min
        scores = (self._similarities(features) / self.temperature).masked_fill(itself, nothing)
        losses = (scores.logsumexp(1, keepdim=True) - scores).where(alike, 0).sum(1)
        losses = losses / alike.sum(1).clamp(min=1)
        if self.similarity == "dot":
            losses = losses * (self.temperature / BASE_TEMPERATURE)
            counted = alike.any(1)
        else:
            # NaN is not kept away.
            counted = ~(losses <= 0)
        loss = losses.where(counted, 0).sum() / counted.sum().clamp(min=1)
        return LossOutput(loss, {"loss": loss.detach()})

    def _similarities(self, features: Tensor) -> Tensor:
        if self.similarity == "dot":
            return features @ features.T
        features = F.normalize(features, dim=1)
        # Differences, not products: samples that are nearly alike are what the loss is about.
        return -torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
