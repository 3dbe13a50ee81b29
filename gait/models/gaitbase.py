"""GaitBase: per-frame backbone, temporal maximum, horizontal parts, batch-normalised neck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from gait import registry
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class GaitBase(nn.Module):
    """The strong baseline; embeddings are the part features before the neck.

    Args:
        num_classes: identities of the training set.
        backbone: name and parameters of a backbone that works frame by frame.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.

    Source: Fan et al., OpenGait: Revisiting Gait Recognition Toward Better Practicality,
    CVPR 2023, arXiv 2211.06597; with depth: Shen et al., LidarGait: Benchmarking 3D Gait
    Recognition with Point Clouds, CVPR 2023, arXiv 2211.10598.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict[str, Any],
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
    ) -> None:
        super().__init__()
        self.backbone = registry.build("backbone", backbone)
        self.head = PartHead(self.backbone.out_channels, num_classes, embedding_channels, bins)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1 or maps [n, s, c, h, w]; packed
                on the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        output: ModelOutput = self.head(set_max(self.backbone(frames), lengths))
        return output
