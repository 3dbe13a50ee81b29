"""Networks of random depth."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class DropPath(nn.Dropout):
    """Drops a residual branch for whole samples; those that keep it get it magnified.

    Args:
        p: share of the samples [n, ...] that training drops.

    Source: Huang et al., Deep Networks with Stochastic Depth, ECCV 2016, arXiv 1603.09382.
    """

    def forward(self, branch: Tensor) -> Tensor:
        """The branch [n, ...], for some of the samples zero."""
        if not self.training or self.p == 0:
            return branch
        samples = branch.new_ones(len(branch), *[1] * (branch.dim() - 1))
        return branch * F.dropout(samples, self.p)
