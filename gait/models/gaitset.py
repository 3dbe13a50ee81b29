"""GaitSet: a sequence as a set of silhouettes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.layers.backbones.plain import Plain
from gait.layers.frames import fold_frames
from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.initialise import initialise
from gait.layers.part_linear import PartLinear
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class GaitSet(nn.Module):
    """Frame features pooled over the set at three depths, along a set path of their own.

    Args:
        channels: channels of the three blocks.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pyramid, for the frame path and for the set path.
        in_channels: channels of a frame, 1 for silhouettes.

    Source: Chao et al., GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition,
    AAAI 2019, arXiv 1811.06186.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128),
        embedding_channels: int = 256,
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        first, second, third = channels
        shallow = [f"BC-{first}", f"BC-{first}", "M"]
        middle = [f"BC-{second}", f"BC-{second}", "M"]
        deep = [f"BC-{third}", f"BC-{third}"]
        self.frame_blocks = nn.ModuleList(
            [
                Plain(shallow, in_channels),
                Plain(middle, first, first_kernel=3),
                Plain(deep, second, first_kernel=3),
            ]
        )
        self.set_blocks = nn.ModuleList(
            [Plain(middle, first, first_kernel=3), Plain(deep, second, first_kernel=3)]
        )
        self.horizontal_pooling = HorizontalPooling(bins)
        parts = 2 * self.horizontal_pooling.parts
        self.part_linear = PartLinear(parts, third, embedding_channels)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, 2 * sum(bins)] of silhouettes.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        frames = self.frame_blocks[0](frames)
        pooled = set_max(frames, lengths)
        whole = pooled
        for frame_block, set_block in zip(self.frame_blocks[1:], self.set_blocks, strict=True):
            frames = frame_block(frames)
            pooled = set_max(frames, lengths)
            whole = set_block(whole) + pooled
        parts = torch.cat([self.horizontal_pooling(pooled), self.horizontal_pooling(whole)], 2)
        return ModelOutput(self.part_linear(parts).float())
