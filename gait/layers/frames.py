"""Frames of all sequences on one axis: what every per-frame layer works on."""

from __future__ import annotations

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
