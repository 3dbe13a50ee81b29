"""How much of what is found is there, and of what is there is found."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def intersection_over_union(found: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of the foregrounds of each row; 1 where both are empty.

    Args:
        found: foreground where above one half, [m, ...].
        truth: the same shape.

    Returns:
        Shares [m], float32, 0..1.
    """
    predicted, actual = found.flatten(1) > 0.5, truth.flatten(1) > 0.5
    union = (predicted | actual).sum(1)
    return torch.where(union > 0, (predicted & actual).sum(1) / union, 1.0)
