"""Whole sequences at a time: what layers that look along time work on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def per_sequence(
    frames: Tensor, lengths: list[int], compute: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply a computation along time to each sequence on its own.

    Sequences of equal length are computed as one batch, so a rectangular batch is one call, and
    frames of different sequences never meet.

    Args:
        frames: features of folded frames, [sum of lengths, ...].
        lengths: number of frames of each sequence.
        compute: makes one entry a sequence, [m, ...], of m sequences of equal length
            [m, s, ...].

    Returns:
        One entry a sequence, [n, ...], in the order of `lengths`.
    """
    if min(lengths) == max(lengths):
        return compute(frames.view(len(lengths), lengths[0], *frames.shape[1:]))
    pieces = torch.split(frames, lengths)
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(length, []).append(index)
    computed = [
        compute(torch.stack([pieces[index] for index in group])) for group in groups.values()
    ]
    order = torch.tensor([index for group in groups.values() for index in group])
    return torch.cat(computed)[order.argsort().to(frames.device)]
