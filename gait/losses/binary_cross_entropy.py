"""Whether each pixel belongs to the walker."""

from __future__ import annotations

from torch import Tensor, nn

from gait.layers.overlap import intersection_over_union
from gait.types import LossOutput


class BinaryCrossEntropy(nn.Module):
    """Cross entropy of foreground probabilities, every pixel classified on its own.

    Args:
        epsilon: added to probabilities before their logarithm.
    """

    fields = ("probabilities", "masks")
    global_batch = False

    def __init__(self, epsilon: float = 1e-9) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, probabilities: Tensor, masks: Tensor, labels: Tensor) -> LossOutput:
        """The loss of the batch.

        Args:
            probabilities: of the foreground, [m, ...], 0..1.
            masks: the truth in the same shape, 0..1.
            labels: identities, not used.

        Returns:
            Mean over pixels; terms 'loss' and 'hard_loss' (largest of a pixel), [], and 'miou',
            the foreground's intersection over union of each row, [m], 1 where both are empty.
        """
        found, truth = probabilities.float(), masks.float()
        foreground = truth * (found + self.epsilon).log()
        background = (1 - truth) * (1 - found + self.epsilon).log()
        losses = -(foreground + background)
        loss = losses.mean()
        terms = {"loss": loss.detach(), "hard_loss": losses.detach().max()}
        return LossOutput(loss, terms | {"miou": intersection_over_union(found, truth)})
