"""Two views of each sequence, as self-supervised training draws them."""

from __future__ import annotations

import torch
from torch import Tensor

View = tuple[Tensor, list[int] | None]


def two_views(frames: Tensor, lengths: list[int] | None) -> tuple[View, View]:
    """Part a batch in which the two views of each sequence are neighbours.

    Args:
        frames: [2 * m, s, ...]; or packed on the frame axis, [1, sum of lengths, ...].
        lengths: frames of each packed view, or None for a rectangular batch.

    Returns:
        The first views and the second views, each as a batch of m with its lengths.

    Raises:
        ValueError: an odd number of views.
    """
    number = len(frames) if lengths is None else len(lengths)
    if number % 2:
        raise ValueError(
            f"expected two views of each sequence, one after the other, got {number} views; draw "
            "them with BilateralSampler (key sampler)"
        )
    if lengths is None:
        return (frames[0::2], None), (frames[1::2], None)
    pieces = torch.split(frames, lengths, 1)
    first, second = (torch.cat(pieces[view::2], 1) for view in (0, 1))
    return (first, lengths[0::2]), (second, lengths[1::2])
