"""GaitGraph: graph convolutions over poses, trained by contrasting two views of a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.initialise import initialise
from gait.layers.res_gcn import ResGCN
from gait.layers.sequences import by_length
from gait.types import ModelOutput


class GaitGraph1(nn.Module):
    """A residual graph network over the joints; embeddings of length one.

    Args:
        num_joints: joints v of a pose.
        branch: channels of the first modules, from those of a joint on.
        trunk: channels of the modules after them.
        reduction: by how much bottlenecks are narrower than their module.
        embedding_channels: channels of the embedding.
        tta: at test time, average the embeddings of a sequence and of its reversal.

    Source: Teepe et al., GaitGraph: Graph Convolutional Network for Skeleton-Based Gait
    Recognition, ICIP 2021, arXiv 2101.11228.
    """

    def __init__(
        self,
        num_joints: int,
        branch: Sequence[int] = (3, 64, 64, 32),
        trunk: Sequence[int] = (128, 128, 256, 256),
        reduction: int = 8,
        embedding_channels: int = 128,
        tta: bool = True,
    ) -> None:
        super().__init__()
        self.tta = tta
        self.backbone = ResGCN(num_joints, 1, branch, trunk, reduction, embedding_channels)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, 1] of poses.

        Args:
            inputs: one tensor, x, y and confidence of joints [n, s, v, 3]; packed on the frame
                axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        return by_length(self._embedded, inputs[0], lengths)

    def _embedded(self, poses: Tensor) -> ModelOutput:
        if self.tta and not self.training:
            both = self._features(torch.cat([poses, poses.flip(1)]))
            features = (both[: len(poses)] + both[len(poses) :]) / 2
        else:
            features = self._features(poses)
        return ModelOutput(features.unsqueeze(2))

    def _features(self, poses: Tensor) -> Tensor:
        """Features [n, c] of length one."""
        features = self.backbone(poses.permute(0, 3, 1, 2).unsqueeze(1))
        return F.normalize(features.float(), dim=1)
