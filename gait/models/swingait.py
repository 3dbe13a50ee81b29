"""SwinGait: convolutions for what is near, windows of attention for what is far."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.errors import ConfigError
from gait.layers.deep_residual import DeepResidual
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.sequences import clip_by_clip
from gait.layers.set_pooling import set_max
from gait.layers.video_swin import VideoSwin
from gait.types import ModelOutput


class SwinGait(nn.Module):
    """The first two stages of DeepGaitV2, then two stages of a Swin transformer.

    Args:
        num_classes: identities of the training set.
        channels: channels of the four stages.
        blocks: blocks of each stage; 1, 4, 4, 2 for large datasets in the wild.
        heads: attention heads of the last two stages.
        window: frames, rows and columns of a window of attention.
        map_size: rows and columns that the map is brought to between the two halves.
        drop_path: share of the sequences for which training skips the last block; less for those
            before it.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        in_channels: channels of a frame, 1 for silhouettes.

    Raises:
        ConfigError: not four stages.

    Source: Fan et al., Exploring Deep Models for Practical Gait Recognition, 2023,
    arXiv 2303.03301, section 4.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 2, 2),
        heads: Sequence[int] = (16, 32),
        window: Sequence[int] = (3, 3, 5),
        map_size: Sequence[int] = (30, 20),
        drop_path: float = 0.1,
        embedding_channels: int = 256,
        bins: Sequence[int] = (15,),
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        if not len(channels) == len(blocks) == 4:
            raise ConfigError(
                f"model: channels and blocks must name four stages, got {list(channels)} and "
                f"{list(blocks)}"
            )
        rows, columns = map_size
        self.map_size = (rows, columns)
        self.backbone = DeepResidual(
            "p3d", channels[:2], blocks[:2], strides=(1, 2), in_channels=in_channels
        )
        frames, high, wide = window
        self.transformer = VideoSwin(
            self.backbone.out_channels,
            channels[2:],
            blocks[2:],
            heads,
            (frames, high, wide),
            drop_path,
        )
        # Published weights hold one part more, which nothing reads.
        self.head = PartHead(channels[3], num_classes, embedding_channels, bins, more_parts=1)
        initialise(self)
        self.transformer.initialise()

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        maps = self.backbone(frames, lengths)
        maps = F.interpolate(maps, self.map_size, mode="bilinear", align_corners=True)
        maps = clip_by_clip(maps, lengths, self.transformer)
        parts = self.head.pooling(set_max(maps, lengths))
        output = self.head.of_parts(torch.cat([parts, parts[:, :, -1:].detach()], 2))
        fields = {name: each[:, :, :-1] for name, each in output.fields.items()}
        return ModelOutput(output.embeddings[:, :, :-1], fields)
