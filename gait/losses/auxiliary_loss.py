"""A loss that the model has worked out itself."""

from __future__ import annotations

from torch import Tensor, nn

from gait.types import LossOutput


class AuxiliaryLoss(nn.Module):
    """The mean of a field, which an experiment names (`losses.<name>.field`)."""

    fields = ("term",)
    global_batch = False

    def forward(self, value: Tensor, labels: Tensor) -> LossOutput:
        """The loss of the batch.

        Args:
            value: any shape whose first axis is that of the sequences.
            labels: not read.
        """
        return LossOutput(value.float().mean())
