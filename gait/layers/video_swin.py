"""A Swin transformer over clips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from gait.layers.window_attention import Size, WindowBlock


class Widening(nn.Module):
    """More channels for the next stage; the map keeps its size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_channels)
        self.linear = nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [..., out_channels] of clips [..., in_channels]."""
        wider: Tensor = self.linear(self.norm(clips))
        return wider


class VideoSwin(nn.Module):
    """Patches of 2x2 pixels, then stages of attention within windows, every other time shifted.

    Args:
        in_channels: channels of the clips that come in.
        channels: channels of each stage.
        blocks: blocks of each stage.
        heads: attention heads of each stage.
        window: frames, rows and columns of a window.
        drop_path: share of the samples for which training drops the branches of the last block;
            it rises evenly from none for the first.

    Source: Liu et al., Video Swin Transformer, CVPR 2022, arXiv 2106.13230.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        heads: Sequence[int],
        window: Size,
        drop_path: float,
    ) -> None:
        super().__init__()
        shift = (window[0] // 2, window[1] // 2, window[2] // 2)
        rates = np.linspace(0, drop_path, sum(blocks)).tolist()
        self.patches = nn.Conv2d(in_channels, channels[0], 2, stride=2)
        self.patches_norm = nn.LayerNorm(channels[0])
        self.stages = nn.ModuleList()
        for number, width, several in zip(blocks, channels, heads, strict=True):
            stage = nn.Sequential()
            for index in range(number):
                moved = shift if index % 2 else (0, 0, 0)
                stage.append(WindowBlock(width, several, window, moved, rates.pop(0)))
            self.stages.append(stage)
        self.widenings = nn.ModuleList(
            Widening(narrow, wide) for narrow, wide in itertools.pairwise(channels)
        )
        self.norm = nn.LayerNorm(channels[-1])
        self.out_channels = channels[-1]

    def initialise(self) -> None:
        """Give linear layers the initial values that transformers start from."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [n, s, channels[-1], h / 2, w / 2] of clips [n, s, in_channels, h, w]."""
        patches = self.patches(clips.flatten(0, 1)).permute(0, 2, 3, 1)
        places = self.patches_norm(patches.reshape(*clips.shape[:2], *patches.shape[1:]))
        for index, stage in enumerate(self.stages):
            places = stage(self.widenings[index - 1](places) if index else places)
        result: Tensor = self.norm(places).movedim(4, 2)
        return result
