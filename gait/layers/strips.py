"""Horizontal strips of frames as clips of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def encode_strips(
    encode: Callable[[Tensor], Tensor], clips: Tensor, strips: int, *, between: bool
) -> Tensor:
    """Encode strips of clips on their own and put their maps together again.

    Args:
        encode: gives maps [m, c', h', w'], one a clip, of clips [m, s, c, h, w].
        clips: [n, s, c, h, w]; the number of strips divides h.
        strips: number of strips of equal height.
        between: cut half a strip lower, with half a strip of zeros above and below; there is then
            one more strip, and half a strip is cut off the result at both ends.

    Returns:
        Maps [n, c', h', w'], as high as if the clips had been encoded whole.

    Raises:
        ValueError: strips that are not of equal height.
    """
    height = clips.shape[3]
    if height % (strips * (2 if between else 1)):
        raise ValueError(
            f"{strips} strips do not divide frames {height} pixels high; change crops (key model)"
        )
    if between:
        margin = height // strips // 2
        clips = F.pad(clips, (0, 0, margin, margin))
        strips += 1
    pieces = torch.cat(clips.chunk(strips, 3))
    maps = torch.cat(encode(pieces).chunk(strips), 2)
    if not between:
        return maps
    margin = maps.shape[2] // strips // 2
    return maps[:, :, margin:-margin]
