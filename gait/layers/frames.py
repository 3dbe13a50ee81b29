"""Frames of all sequences on one axis: what every per-frame layer works on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def fold_frames(frames: Tensor, lengths: list[int] | None) -> tuple[Tensor, list[int]]:
    """Lay the frames of a batch on one axis, without a copy.

    After folding, a rectangular and a packed batch are the same thing: frames in order, and how
    many of them belong to each sequence.

    Args:
        frames: silhouettes [n, s, h, w] or maps [n, s, c, h, w]; with `lengths`, n is 1 and the
            sequences follow each other on the frame axis.
        lengths: frames of each packed sequence, or None for a rectangular batch.

    Returns:
        Maps [frames of all sequences, c, h, w] and the number of frames of each sequence.

    Raises:
        ValueError: another shape, or lengths that do not cover the frames.
    """
    if frames.dim() not in (4, 5):
        raise ValueError(
            f"frames have shape {list(frames.shape)}; expected [n, s, h, w] or [n, s, c, h, w]"
        )
    if lengths is None:
        lengths = [frames.shape[1]] * frames.shape[0]
    elif frames.shape[0] != 1 or sum(lengths) != frames.shape[1] or min(lengths) < 1:
        raise ValueError(
            f"packed frames have shape {list(frames.shape)}; expected [1, {sum(lengths)}, ...] "
            f"for sequences of {lengths} frames"
        )
    maps = frames.flatten(0, 1)
    return (maps.unsqueeze(1) if maps.dim() == 3 else maps), lengths


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
    if min(lengths) == max(lengths):
        return compute(maps.view(len(lengths), lengths[0], *maps.shape[1:])).flatten(0, 1)
    groups: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        groups.setdefault(length, []).append(index)
    pieces = list(torch.split(maps, lengths))
    for indices in groups.values():
        clips = compute(torch.stack([pieces[index] for index in indices]))
        for index, clip in zip(indices, clips, strict=True):
            pieces[index] = clip
    return torch.cat(pieces)
