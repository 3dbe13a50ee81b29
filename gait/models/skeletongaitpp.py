"""SkeletonGait++: silhouettes and skeleton maps, mixed early, then the trunk of DeepGaitV2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.layers.attention_fusion import AttentionFusion
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.residual import Stem, stage
from gait.layers.set_pooling import set_max
from gait.layers.spatiotemporal import ClipStages
from gait.types import ModelOutput


class SkeletonGaitPP(nn.Module):
    """Two stems whose maps attention mixes pixel by pixel.

    Args:
        num_classes: identities of the training set.
        channels: channels of the four stages.
        blocks: residual blocks of each stage; 1, 4, 4, 1 for large datasets in the wild.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        map_channels: channels of a frame's skeleton map: joints and limbs.

    Source: Fan et al., SkeletonGait: Gait Recognition Using Skeleton Maps, AAAI 2024,
    arXiv 2311.13444, section 4.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
        map_channels: int = 2,
    ) -> None:
        super().__init__()
        self.map_channels = map_channels
        width, first = channels[0], blocks[0]
        self.map_stages = nn.Sequential(
            Stem(map_channels, width), stage(width, width, first, stride=1)
        )
        self.silhouette_stages = nn.Sequential(
            Stem(1, width), stage(width, width, first, stride=1)
        )
        self.fusion = AttentionFusion(width)
        self.clip_stages = ClipStages(width, channels[1:], blocks[1:], strides=(2, 2, 1))
        self.head = PartHead(self.clip_stages.out_channels, num_classes, embedding_channels, bins)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor [n, s, map_channels + 1, h, w] in 0..1, the silhouette last; packed
                on the frame axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        maps, silhouettes = torch.split(frames, [self.map_channels, 1], 1)
        mixed = self.fusion([self.silhouette_stages(silhouettes), self.map_stages(maps)])
        output: ModelOutput = self.head(set_max(self.clip_stages(mixed, lengths), lengths))
        return output
