"""GaitGL: 3-D convolutions of whole bodies and of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gait.layers.frames import fold_frames
from gait.layers.gem_pooling import GeMPooling
from gait.layers.global_local_conv import GlobalLocalConv
from gait.layers.initialise import initialise
from gait.layers.part_bn_neck import PartBNNeck
from gait.layers.part_linear import PartLinear
from gait.layers.sequences import per_sequence
from gait.types import ModelOutput

# Frames that the temporal aggregation joins; no sequence can be shorter.
SPAN = 3


class GaitGL(nn.Module):
    """Global and local features of short clips, a temporal maximum, one part a row.

    Args:
        num_classes: identities of the training set.
        channels: channels of the plain convolutions and of each global-local stage; maps are
            halved after the first of the latter.
        blocks: convolutions of each stage.
        halving: the local convolutions see 2^halving strips.
        bins: strips of the pooling; the maps are twice as high as after the only halving.
        bn_neck: compare the embeddings before a batch-normalised neck with cosine logits, not
            those after a batch normalisation that all parts share.

    Source: Lin et al., Gait Recognition via Effective Global-Local Feature Representation and
    Local Temporal Aggregation, ICCV 2021, arXiv 2011.01461.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (32, 64, 128, 128),
        blocks: int = 1,
        halving: int = 3,
        bins: Sequence[int] = (64,),
        bn_neck: bool = False,
    ) -> None:
        super().__init__()
        first, width = channels[0], channels[-1]
        plain = [
            layer
            for index in range(blocks)
            for layer in (
                nn.Conv3d(first if index else 1, first, 3, padding=1, bias=False),
                nn.LeakyReLU(inplace=True),
            )
        ]
        self.plain = nn.Sequential(*plain)
        self.aggregation = nn.Sequential(
            nn.Conv3d(first, first, (SPAN, 1, 1), stride=(SPAN, 1, 1), bias=False),
            nn.LeakyReLU(inplace=True),
        )
        self.stages = nn.ModuleList(
            _stage(inner, outer, blocks, halving, stacked=index == len(channels) - 2)
            for index, (inner, outer) in enumerate(pairwise(channels))
        )
        self.spatial_pooling = nn.MaxPool3d((1, 2, 2))
        self.pooling = GeMPooling(bins)
        self.part_linear = PartLinear(self.pooling.parts, width, width)
        self.neck: nn.Module
        if bn_neck:
            self.neck = PartBNNeck(self.pooling.parts, width, num_classes)
        else:
            self.neck = nn.BatchNorm1d(width)
            self.classifier = PartLinear(self.pooling.parts, width, num_classes)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, channels[-1], p]; field 'logits' [n, k, p].

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        parts = self.part_linear(self.pooling(per_sequence(frames, lengths, self._maps)))
        if isinstance(self.neck, PartBNNeck):
            embeddings, logits = parts, self.neck(parts)[1]
        else:
            embeddings = self.neck(parts)
            logits = self.classifier(embeddings)
        return ModelOutput(embeddings.float(), {"logits": logits.float()})

    def _maps(self, clips: Tensor) -> Tensor:
        """Maps [n, c, 2 h, w] of sequences of equal length [n, s, 1, h, w]."""
        missing = SPAN - clips.shape[1]
        if missing > 0:
            # The sequence goes on from its start.
            clips = clips.repeat(1, -(-SPAN // clips.shape[1]), 1, 1, 1)
        maps = self.aggregation(self.plain(clips.transpose(1, 2)))
        for index, stage in enumerate(self.stages):
            maps = self.spatial_pooling(maps) if index == 1 else maps
            maps = stage(maps)
        pooled: Tensor = maps.max(2).values
        return pooled


def _stage(
    in_channels: int, out_channels: int, blocks: int, halving: int, *, stacked: bool
) -> nn.Module:
    """`blocks` global-local convolutions; `stacked` is for the last."""
    layers = [
        GlobalLocalConv(
            out_channels if index else in_channels,
            out_channels,
            halving,
            stacked=stacked and index == blocks - 1,
        )
        for index in range(blocks)
    ]
    # One alone keeps its own name, which tells the two published sizes apart.
    return layers[0] if blocks == 1 else nn.Sequential(*layers)
