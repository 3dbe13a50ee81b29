"""Sequences that are computed whole: what layers along time work on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gait.types import ModelOutput


def by_length(
    compute: Callable[[Tensor], ModelOutput], frames: Tensor, lengths: list[int] | None
) -> ModelOutput:
    """Compute a batch, or packed sequences in batches of equal length, so that none meets another.

    Args:
        compute: takes sequences [m, s, ...], and gives as many rows in each of its tensors.
        frames: sequences [n, s, ...]; with `lengths`, n is 1 and they follow each other on the
            frame axis.
        lengths: frames of each packed sequence, or None for a rectangular batch.

    Returns:
        The rows of all sequences, in their order.

    Raises:
        ValueError: lengths that do not cover the frames.
    """
    if lengths is None:
        return compute(frames)
    if frames.shape[0] != 1 or sum(lengths) != frames.shape[1] or min(lengths) < 1:
        raise ValueError(
            f"packed frames have shape {list(frames.shape)}; expected [1, {sum(lengths)}, ...] "
            f"for sequences of {lengths} frames"
        )
    alike: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        alike.setdefault(length, []).append(index)
    if len(alike) == 1:
        return compute(frames.view(len(lengths), lengths[0], *frames.shape[2:]))
    pieces = torch.split(frames[0], lengths)
    outputs = [
        compute(torch.stack([pieces[index] for index in indices])) for indices in alike.values()
    ]
    grouped = [index for indices in alike.values() for index in indices]
    order = torch.tensor(grouped, device=frames.device).argsort()
    return ModelOutput(
        torch.cat([each.embeddings for each in outputs])[order],
        {name: torch.cat([each[name] for each in outputs])[order] for name in outputs[0].fields},
    )
