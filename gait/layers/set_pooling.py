"""Pooling over the frames of each sequence, whatever their order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def set_max(frames: Tensor, lengths: list[int]) -> Tensor:
    """Largest value of each feature over the frames of each sequence.

    Args:
        frames: features of folded frames, [sum of lengths, ...].
        lengths: number of frames of each sequence.

    Returns:
        One entry per sequence, [n, ...].

    Source: Chao et al., GaitSet, AAAI 2019, arXiv 1811.06186, section 3.3 (set pooling).
    """
    # max, not amax: its backward pass stores indices of the result instead of the whole input.
    return _pool(frames, lengths, lambda piece, axis: piece.max(axis).values)


def set_mean(frames: Tensor, lengths: list[int]) -> Tensor:
    """Mean of each feature over the frames of each sequence; shapes as for `set_max`."""
    return _pool(frames, lengths, lambda piece, axis: piece.mean(axis))


def _pool(frames: Tensor, lengths: list[int], pool: Callable[[Tensor, int], Tensor]) -> Tensor:
    if min(lengths) == max(lengths):
        return pool(frames.view(len(lengths), lengths[0], *frames.shape[1:]), 1)
    return torch.stack([pool(piece, 0) for piece in torch.split(frames, lengths)])
