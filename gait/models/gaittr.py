"""GaitTR: attention between joints, convolutions along time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.graph import temporal_convolution
from gait.layers.initialise import initialise
from gait.layers.projection import Projection
from gait.layers.sequences import by_length
from gait.types import ModelOutput

HEADS = 8
FRAMES = 9


class GaitTR(nn.Module):
    """Blocks of temporal convolution and of attention between the joints of a frame.

    Args:
        num_joints: joints v of a pose.
        channels: channels of a joint, then of each block.
        embedding_channels: channels of the embedding.
        dropout: share of what the temporal convolutions get that is left out in training.

    Source: Zhang et al., Spatial Transformer Network on Skeleton-based Gait Recognition, 2022,
    arXiv 2204.03873.
    """

    def __init__(
        self,
        num_joints: int,
        channels: Sequence[int] = (10, 64, 64, 128, 256),
        embedding_channels: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(num_joints * channels[0])
        self.blocks = nn.Sequential(
            *(_Block(*each, num_joints, dropout) for each in pairwise(channels))
        )
        self.head = nn.Conv1d(channels[-1], embedding_channels, 1)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, 1] of poses.

        Args:
            inputs: one tensor, what `GaitTRInput` makes of joints [n, s, v, 10]; packed on the
                frame axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        return by_length(self._embedded, inputs[0], lengths)

    def _embedded(self, poses: Tensor) -> ModelOutput:
        poses = self.bn(poses.flatten(2).transpose(1, 2)).transpose(1, 2).view(poses.shape)
        maps = self.blocks(poses.permute(0, 3, 1, 2))
        return ModelOutput(self.head(maps.mean((2, 3)).unsqueeze(2)).float())


class _Block(nn.Module):
    """Maps [n, c, s, v] to maps [n, out_channels, s, v]."""

    def __init__(
        self, in_channels: int, out_channels: int, num_joints: int, dropout: float
    ) -> None:
        super().__init__()
        self.temporal = _Unit(
            temporal_convolution(in_channels, in_channels, FRAMES), in_channels, dropout
        )
        self.joint_bn = nn.BatchNorm1d(in_channels * num_joints)
        self.spatial = _Unit(_JointAttention(in_channels, out_channels), out_channels)
        self.shortcut = nn.Sequential()
        self.residual: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut.append(Projection(in_channels, out_channels, bias=True))
            self.shortcut.append(nn.BatchNorm2d(out_channels))
            self.residual = _Unit(Projection(in_channels, out_channels, bias=True), out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        moved = self.temporal(maps) + maps
        # Each channel of each joint over all frames.
        joints = self.joint_bn(moved.transpose(2, 3).flatten(1, 2))
        joints = joints.unflatten(1, (-1, maps.shape[3])).transpose(2, 3)
        attended: Tensor = self.spatial(joints) + self.shortcut(moved) + self.residual(maps)
        return attended


class _Unit(nn.Module):
    """A layer, Mish and normalisation."""

    def __init__(self, layer: nn.Module, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.layer = layer
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        normalised: Tensor = self.bn(F.mish(self.layer(self.dropout(maps))))
        return normalised


class _JointAttention(nn.Module):
    """Attention between the joints of each frame, several heads."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.sizes = (out_channels // 4, out_channels // 4, out_channels)
        self.entry = Projection(in_channels, sum(self.sizes), bias=True)
        self.exit = Projection(out_channels, out_channels, bias=True)

    def forward(self, maps: Tensor) -> Tensor:
        # [n, s, heads, v, channels of a head] each.
        queries, keys, values = (
            each.unflatten(1, (HEADS, -1)).permute(0, 3, 1, 4, 2)
            for each in self.entry(maps).split(self.sizes, dim=1)
        )
        attended = F.scaled_dot_product_attention(queries, keys, values)
        merged: Tensor = self.exit(attended.permute(0, 2, 4, 1, 3).flatten(1, 2))
        return merged
