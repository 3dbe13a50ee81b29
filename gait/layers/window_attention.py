"""Attention within windows of a clip, as in Swin transformers."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.drop_path import DropPath

# Frames, rows, columns.
Size = tuple[int, int, int]

# Added to the score of two places that only the shift has made neighbours.
_APART = -100.0


class WindowAttention(nn.Module):
    """Multi-head attention among the places of each window, with a bias by their offset.

    Args:
        channels: channels c.
        window: size of a full window.
        heads: attention heads; they divide the channels.

    Source: Liu et al., Video Swin Transformer, CVPR 2022, arXiv 2106.13230, section 3.
    """

    offsets: Tensor

    def __init__(self, channels: int, window: Size, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        spans = [2 * each - 1 for each in window]
        self.bias_table = nn.Parameter(torch.zeros(spans[0] * spans[1] * spans[2], heads))
        nn.init.trunc_normal_(self.bias_table, std=0.02)
        places = torch.cartesian_prod(*(torch.arange(each) for each in window))
        apart = places.unsqueeze(1) - places + torch.tensor(window) - 1
        offsets = (apart[..., 0] * spans[1] + apart[..., 1]) * spans[2] + apart[..., 2]
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Windows [n, k, v, c] of windows [n, k, v, c]: k windows of v places each.

        Args:
            windows: with fewer frames than a full window, but with its rows and columns, so that
                its places are the first of the full window's.
            mask: added to the scores, [k, v, v].
        """
        n, k, v, c = windows.shape
        query, key, value = (
            self.qkv(windows).view(n, k, v, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        )
        bias = self.bias_table[self.offsets[:v, :v]].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask.unsqueeze(1)
        mixed = F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype))
        result: Tensor = self.proj(mixed.transpose(2, 3).reshape(n, k, v, c))
        return result


class WindowBlock(nn.Module):
    """Attention within windows, then a perceptron for each place; both around a shortcut.

    A clip that does not fill its last windows is filled up with zeros behind its normalisation.

    Args:
        channels: channels c.
        heads: attention heads.
        window: size of a window; where the clip is smaller, the window is as large as the clip.
        shift: by how much windows are moved against the clip's first place; not at all in a
            direction that one window covers.
        drop_path: share of the samples for which training drops a branch.
        expansion: channels of the perceptron's hidden layer in multiples of c.

    Source: as `WindowAttention`.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        window: Size,
        shift: Size = (0, 0, 0),
        drop_path: float = 0.0,
        expansion: int = 4,
    ) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, window, heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(channels)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, expansion * channels),
            nn.GELU(),
            nn.Linear(expansion * channels, channels),
        )

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [n, s, h, w, c] of clips [n, s, h, w, c]."""
        clips = clips + self.drop_path(self._attended(self.norm1(clips)))
        result: Tensor = clips + self.drop_path(self.perceptron(self.norm2(clips)))
        return result

    def _attended(self, clips: Tensor) -> Tensor:
        frames, rows, columns = clips.shape[1:4]
        pairs = list(zip((frames, rows, columns), self.window, strict=True))
        window = tuple(min(pair) for pair in pairs)
        shift = [
            0 if size <= full else each
            for (size, full), each in zip(pairs, self.shift, strict=True)
        ]
        missing = [-size % each for (size, _), each in zip(pairs, window, strict=True)]
        clips = F.pad(clips, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
        mask = None
        if any(shift):
            clips = clips.roll([-each for each in shift], (1, 2, 3))
            mask = _mask(tuple(clips.shape[1:4]), window, shift).to(clips)
        windows = self.attention(_windows(clips, window), mask)
        clips = _clips(windows, tuple(clips.shape), window)
        if any(shift):
            clips = clips.roll(shift, (1, 2, 3))
        return clips[:, :frames, :rows, :columns]


def _windows(clips: Tensor, window: tuple[int, ...]) -> Tensor:
    """Windows [n, k, v, c] of clips [n, s, h, w, c] that they fill."""
    n, s, h, w, c = clips.shape
    t, y, x = window
    cut = clips.view(n, s // t, t, h // y, y, w // x, x, c).permute(0, 1, 3, 5, 2, 4, 6, 7)
    return cut.reshape(n, -1, t * y * x, c)


def _clips(windows: Tensor, shape: tuple[int, ...], window: tuple[int, ...]) -> Tensor:
    """`_windows` reversed; `shape` is that of the clips."""
    n, s, h, w, c = shape
    t, y, x = window
    cut = windows.view(n, s // t, h // y, w // x, t, y, x, c).permute(0, 1, 4, 2, 5, 3, 6, 7)
    return cut.reshape(shape)


def _mask(size: tuple[int, ...], window: tuple[int, ...], shift: list[int]) -> Tensor:
    """What the scores [k, v, v] of places lose that were not neighbours before the shift."""
    region = torch.zeros(size)
    slices = [
        (slice(-each), slice(-each, -move or None), slice(size_ - move, None))
        for size_, each, move in zip(size, window, shift, strict=True)
    ]
    for number, places in enumerate(itertools.product(*slices)):
        region[places] = number
    regions = _windows(region[None, ..., None], window).squeeze(0).squeeze(-1)
    return (regions.unsqueeze(1) != regions.unsqueeze(2)) * _APART
