"""DeepGaitV2: a deep residual trunk over space and time, temporal maximum, horizontal parts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gait.layers.deep_residual import DeepResidual
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class DeepGaitV2(nn.Module):
    """Deeper than GaitBase, and with motion seen by convolutions over neighbouring frames.

    Args:
        num_classes: identities of the training set.
        mode: '2d', 'p3d' or '3d' blocks after the first stage.
        channels: channels of the four stages.
        blocks: residual blocks of each stage; 1, 4, 4, 1 for large datasets in the wild.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        in_channels: channels of a frame: 1 for silhouettes, 2 for skeleton maps.
        after_neck: compare the normalised features after the neck, not those before it.

    Source: Fan et al., Exploring Deep Models for Practical Gait Recognition, 2023,
    arXiv 2303.03301; with skeleton maps: Fan et al., SkeletonGait: Gait Recognition Using Skeleton
    Maps, AAAI 2024, arXiv 2311.13444.
    """

    def __init__(
        self,
        num_classes: int,
        mode: str = "p3d",
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
        in_channels: int = 1,
        after_neck: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = DeepResidual(mode, channels, blocks, in_channels=in_channels)
        self.head = PartHead(
            self.backbone.out_channels,
            num_classes,
            embedding_channels,
            bins,
            after_neck=after_neck,
        )
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1 or maps [n, s, c, h, w]; packed
                on the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        output: ModelOutput = self.head(set_max(self.backbone(frames, lengths), lengths))
        return output
