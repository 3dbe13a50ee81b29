"""SMPLGait: a body model, known in three dimensions, straightens silhouette features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gait import registry
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class SMPLGait(nn.Module):
    """The map of each frame times a matrix that its body model gives.

    Args:
        num_classes: identities of the training set.
        backbone: name and parameters of a backbone that works frame by frame.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        columns: columns of the transformed map; the backbone's have at most as many.
        dropout: share of the hidden values of the body model's branch that training drops.

    Source: Zheng et al., Gait Recognition in the Wild with Dense 3D Representations and A
    Benchmark, CVPR 2022, arXiv 2204.02569.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict[str, Any],
        embedding_channels: int = 256,
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        columns: int = 16,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.columns = columns
        self.backbone = registry.build("backbone", backbone)
        # 24 rotations of joints, 10 values of shape, 3 of the camera.
        self.transformation = nn.Sequential(
            nn.Linear(85, 128),
            nn.BatchNorm1d(128),
            nn.ReLU(inplace=True),
            nn.Linear(128, 256),
            nn.Dropout(dropout),
            nn.BatchNorm1d(256),
            nn.ReLU(inplace=True),
            nn.Linear(256, columns**2),
            nn.Dropout(dropout),
            nn.BatchNorm1d(columns**2),
            nn.ReLU(inplace=True),
        )
        self.head = PartHead(self.backbone.out_channels, num_classes, embedding_channels, bins)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: silhouettes [n, s, h, w] in 0..1 and body models [n, s, 85]; both packed on
                the frame axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.

        Raises:
            ValueError: the backbone's map has more columns than the matrix has rows.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        maps = self.backbone(frames)
        width = maps.shape[3]
        if width > self.columns:
            raise ValueError(
                f"the map has {width} columns, expected at most {self.columns}; change "
                "model.columns or the input size"
            )
        matrices = self.transformation(inputs[1].flatten(0, 1)).view(
            -1, self.columns, self.columns
        )
        matrices = matrices + torch.eye(self.columns, device=matrices.device)
        # As if the map were filled up with columns of zeros.
        moved = torch.bmm(maps.flatten(1, 2), matrices[:, :width])
        output: ModelOutput = self.head(set_max(moved.view(*maps.shape[:3], -1), lengths))
        return output
