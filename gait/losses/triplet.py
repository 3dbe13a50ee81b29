"""Batch-all triplet loss on parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gait.types import LossOutput


class Triplet(nn.Module):
    """Mean hinge of all violating triplets, part by part.

    Every anchor meets every positive of its identity, itself included, and every negative; the
    mean is over the triplets whose hinge is not zero. The triplets are counted, never laid out:
    memory p n^2 instead of p n^2 times the positives of an anchor.

    Args:
        margin: by how much a negative has to be farther than a positive.

    Source: Hermans et al., In Defense of the Triplet Loss for Person Re-Identification, 2017,
    arXiv 1703.07737 (batch all, non-zero mean).
    """

    fields = ("embeddings",)
    global_batch = True
    min_subjects = 2
    min_sequences = 2

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, value: Tensor, labels: Tensor) -> LossOutput:
        """The loss of the batch.

        Args:
            value: embeddings [n, c, p].
            labels: identity of each sample, [n]; identities may have unequal numbers of samples.

        Returns:
            Mean over parts; terms, each [p]: 'loss', 'hard_loss' (largest hinge), 'loss_num'
            (violating triplets) and 'mean_dist'.
        """
        distances = _distances(value.float().permute(2, 0, 1).contiguous())
        with torch.no_grad():
            counts, hardest = _violations(_without_self(distances), labels, self.margin)
            number = counts.clamp(min=0).sum((1, 2))
        # Each violating triplet adds d(anchor, positive) - d(anchor, negative) + margin, so the
        # sum weights each distance by the triplets it is in. Rows of `counts` sum to zero, which
        # allows taking out each row's level: less is lost to rounding.
        centred = distances - distances.detach().mean(2, keepdim=True)
        total = (counts * centred).sum((1, 2)) + self.margin * number
        loss = total / number.clamp(min=1)
        terms = {
            "loss": loss.detach(),
            "hard_loss": hardest,
            "loss_num": number,
            "mean_dist": distances.detach().mean((1, 2)),
        }
        return LossOutput(loss.mean(), terms)


def _distances(parts: Tensor) -> Tensor:
    """Euclidean distances [p, n, n] within parts [p, n, c].

    A sample's distance to itself is what rounding leaves of zero, as in published losses, but
    without a gradient: the root is so steep there that it would be rounding, magnified.
    """
    squares = parts.square().sum(2)
    products = torch.bmm(parts, parts.transpose(1, 2))
    squared = squares.unsqueeze(2) + squares.unsqueeze(1) - 2 * products
    # Around the root where its slope is infinite; NaN is not kept away from it.
    zero = squared <= 0
    distances = torch.where(zero, 1, squared).sqrt() * ~zero
    itself = torch.eye(parts.shape[1], dtype=torch.bool, device=parts.device)
    return torch.where(itself, distances.detach(), distances)


def _without_self(distances: Tensor) -> Tensor:
    """Distances with each sample at zero from itself: these decide which triplets violate.

    Where a negative is as far as the margin, rounding would decide instead, and the mean over the
    violating triplets and its gradient would change by percents when samples are few.
    """
    itself = torch.eye(distances.shape[1], dtype=torch.bool, device=distances.device)
    return distances.masked_fill(itself, 0)


def _violations(distances: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """In how many violating triplets each distance stands, and the largest hinge of each part.

    Returns:
        [p, n, n], positive for pairs of one identity, negative for others; and [p].
    """
    alike = labels.unsqueeze(0) == labels.unsqueeze(1)
    most = int(alike.sum(1).max())
    # The anchor's own identity first; anchors with fewer positives than others are filled up
    # with entries that reach nothing.
    positives = alike.byte().argsort(dim=1, descending=True, stable=True)[:, :most]
    columns = positives.expand(distances.shape[0], -1, -1)
    reach = distances.gather(2, columns) + margin
    reach = torch.where(alike.gather(1, positives), reach, -torch.inf)
    negatives = torch.where(alike, torch.inf, distances)
    as_negative = torch.zeros_like(distances)
    as_positive = torch.empty_like(reach)
    for rank in range(most):
        violating = negatives < reach[:, :, rank : rank + 1]
        as_negative += violating
        as_positive[:, :, rank] = violating.sum(2)
    counts = torch.zeros_like(distances).scatter_(2, columns, as_positive) - as_negative
    hardest = (reach.amax(2) - negatives.amin(2)).amax(1).clamp(min=0)
    return counts, hardest
