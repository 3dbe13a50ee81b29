"""Sequences apart from each other: what layers that look along time work on.

Sequences of equal length are computed as one batch, so a rectangular batch is one call, and frames
of different sequences never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from gait.types import ModelOutput

_joined = ContextVar("joined", default=False)


@contextmanager
def joined_sequences() -> Iterator[None]:
    """Let layers that give a map for each frame look across the borders of packed sequences.

    Published code does so when several sequences are embedded at once; its embeddings are then
    reproduced, and depend on which sequences happened to share a batch.
    """
    token = _joined.set(True)
    try:
        yield
    finally:
        _joined.reset(token)


def stretches(lengths: list[int]) -> list[int]:
    """Lengths of the segments that temporal layers must not cross; see `joined_sequences`."""
    return [sum(lengths)] if _joined.get() else lengths


def across_frames(
    maps: Tensor, lengths: list[int], convolve: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply a convolution that reaches one frame back and ahead, each sequence by itself.

    Args:
        maps: maps of folded frames, [sum of lengths, c, h, w].
        lengths: number of frames of each sequence.
        convolve: gives clips [n, s, c', h', w'] of clips [n, s, c, h, w], and takes frames beyond
            the ends for zeros.

    Returns:
        Maps [sum of lengths, c', h', w'].
    """
    lengths = stretches(lengths)
    if min(lengths) == max(lengths):
        clips = maps.view(len(lengths), lengths[0], *maps.shape[1:])
        return convolve(clips).flatten(0, 1)
    # One clip, with a frame of zeros between sequences.
    ordinal = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    places = (torch.arange(len(maps)) + ordinal).to(maps.device)
    count = len(maps) + len(lengths) - 1
    apart = maps.new_zeros(count, *maps.shape[2:], maps.shape[1]).permute(0, 3, 1, 2)
    apart = apart.index_copy(0, places, maps)
    return convolve(apart.unsqueeze(0)).squeeze(0).index_select(0, places)


def clip_by_clip(maps: Tensor, lengths: list[int], compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a computation that looks along time as far as it likes, each sequence by itself.

    Sequences of equal length are computed as one batch.

    Args:
        maps: maps of folded frames, [sum of lengths, ...].
        lengths: number of frames of each sequence.
        compute: gives clips [n, s, ...] of clips [n, s, ...].

    Returns:
        Maps of folded frames, [sum of lengths, ...], in the order of those given.
    """
    lengths = stretches(lengths)
    if min(lengths) == max(lengths):
        return compute(maps.view(len(lengths), lengths[0], *maps.shape[1:])).flatten(0, 1)
    pieces = list(torch.split(maps, lengths))
    for indices in _alike(lengths):
        clips = compute(torch.stack([pieces[index] for index in indices]))
        for index, clip in zip(indices, clips, strict=True):
            pieces[index] = clip
    return torch.cat(pieces)


def per_sequence(
    frames: Tensor, lengths: list[int], compute: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply a computation along time to each sequence on its own.

    Sequences of equal length are computed as one batch, so a rectangular batch is one call, and
    frames of different sequences never meet.

    Args:
        frames: features of folded frames, [sum of lengths, ...].
        lengths: number of frames of each sequence.
        compute: makes one entry per sequence, [m, ...], of m sequences of equal length
            [m, s, ...].

    Returns:
        One entry per sequence, [n, ...], in the order of `lengths`.
    """
    if min(lengths) == max(lengths):
        return compute(frames.view(len(lengths), lengths[0], *frames.shape[1:]))
    pieces, groups = torch.split(frames, lengths), _alike(lengths)
    computed = [compute(torch.stack([pieces[index] for index in group])) for group in groups]
    return torch.cat(computed)[_places(groups, frames.device)]


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
    groups = _alike(lengths)
    if len(groups) == 1:
        return compute(frames.view(len(lengths), lengths[0], *frames.shape[2:]))
    pieces = torch.split(frames[0], lengths)
    outputs = [compute(torch.stack([pieces[index] for index in group])) for group in groups]
    order = _places(groups, frames.device)
    return ModelOutput(
        torch.cat([each.embeddings for each in outputs])[order],
        {name: torch.cat([each[name] for each in outputs])[order] for name in outputs[0].fields},
    )


def _alike(lengths: list[int]) -> list[list[int]]:
    """Positions of the sequences of each length."""
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(length, []).append(index)
    return list(groups.values())


def _places(groups: list[list[int]], device: torch.device) -> Tensor:
    """Where each sequence is when the groups follow each other."""
    return torch.tensor([index for group in groups for index in group], device=device).argsort()
