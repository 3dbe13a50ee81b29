"""Horizontal strips of frames as clips of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def encode_strips(encode: Callable[[Tensor], Tensor], clips: Tensor, strips: int) -> Tensor:
    """Encode strips of clips on their own and put their maps together again.

    In the second half of the clips, strips are cut half a strip lower: with half a strip of zeros
    above and below there is one more of them, and half a strip is cut off the maps at both ends.
    The borders of strips are thus in two places. A single strip is the whole clip in both halves.

    Args:
        encode: gives maps [m, c', h', w'], one per clip, of clips [m, s, c, h, w]; it gets all
            strips of all clips at once.
        clips: [n, s, c, h, w]; the number of half strips divides h.
        strips: number of strips of equal height.

    Returns:
        Maps [n, c', h', w'], as high as if the clips had been encoded whole.

    Raises:
        ValueError: strips that are not of equal height.
    """
    if strips == 1:
        return encode(clips)
    height = clips.shape[3]
    if height % (2 * strips):
        raise ValueError(
            f"{strips} strips do not divide frames {height} pixels high; change crops (key model)"
        )
    margin = height // strips // 2
    straight, shifted = clips.tensor_split(2)
    shifted = F.pad(shifted, (0, 0, margin, margin))
    pieces = [*straight.chunk(strips, 3), *shifted.chunk(strips + 1, 3)]
    maps = torch.split(encode(torch.cat(pieces)), [len(piece) for piece in pieces])
    upright = torch.cat(maps[:strips], 2)
    lowered = torch.cat(maps[strips:], 2)
    margin = (lowered.shape[2] - upright.shape[2]) // 2
    return torch.cat([upright, lowered[:, :, margin : margin + upright.shape[2]]])
