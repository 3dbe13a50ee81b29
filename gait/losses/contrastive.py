"""Contrast of the two views of a sequence against the rest of the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.losses.cross_entropy import CrossEntropy
from gait.types import LossOutput


class Contrastive(nn.Module):
    """Cross entropy of telling each prediction's own target from those of all sequences.

    Predictions and targets are compared by their cosine, every part on its own. No gradient flows
    into the targets.

    Args:
        scale: factor of the cosines.
        label_smoothing: share of the answer spread over all targets.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos: A
    Benchmark, TPAMI 2023, arXiv 2206.13964, section 4.
    """

    fields = ("prediction", "target")
    global_batch = True
    # Each twice, as two views.
    min_batch = 2

    def __init__(self, scale: float = 16.0, label_smoothing: float = 0.1) -> None:
        super().__init__()
        self.classification = CrossEntropy(scale, label_smoothing)

    def forward(self, prediction: Tensor, target: Tensor, labels: Tensor) -> LossOutput:
        """The loss of the batch.

        Args:
            prediction: [m, c, p], made from one view of each sequence.
            target: [m, c, p], the other view of the same sequences.
            labels: not read, as every sequence is its own class.

        Returns:
            Mean over rows and parts; terms 'loss' and 'accuracy' (share of parts right), [].
        """
        predictions = F.normalize(prediction.float(), dim=1).permute(2, 0, 1)
        targets = F.normalize(target.detach().float(), dim=1).permute(2, 1, 0)
        cosines = torch.bmm(predictions, targets).permute(1, 2, 0)
        own = torch.arange(len(prediction), device=prediction.device)
        result: LossOutput = self.classification(cosines, own)
        return result
