"""Identity classification on parts."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from gait.types import LossOutput


class CrossEntropy(nn.Module):
    """Softmax cross entropy of scaled logits, every part classified on its own.

    Args:
        scale: factor of the logits, which are cosines in most models.
        label_smoothing: share of the target spread over all classes.

    Source: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, arXiv 1512.00567
    (label smoothing).
    """

    fields = ("logits",)
    global_batch = False

    def __init__(self, scale: float = 16.0, label_smoothing: float = 0.1) -> None:
        super().__init__()
        self.scale = scale
        self.label_smoothing = label_smoothing

    def forward(self, value: Tensor, labels: Tensor) -> LossOutput:
        """The loss of the batch.

        Args:
            value: logits [n, k, p].
            labels: class index of each sample, int64 [n].

        Returns:
            Mean over samples and parts; terms 'loss' and 'accuracy' (share of parts right), [].
        """
        logits = value.float()
        targets = labels.unsqueeze(1).expand(-1, logits.shape[2])
        loss = F.cross_entropy(logits * self.scale, targets, label_smoothing=self.label_smoothing)
        accuracy = (logits.detach().argmax(1) == targets).float().mean()
        return LossOutput(loss, {"loss": loss.detach(), "accuracy": accuracy})
