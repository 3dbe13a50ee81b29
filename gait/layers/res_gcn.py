"""The residual graph convolutional network of skeleton models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.graph import GraphConvolution, hop_adjacency, temporal_convolution
from gait.layers.projection import Projection
from gait.skeleton import skeleton_of

# The adjacency reaches further than what is convolved, as published weights have it: columns are
# normalised over all of it.
MAX_HOP = 3
HOPS_USED = 3
FRAMES = 9


class ResGCN(nn.Module):
    """Graph and temporal convolutions over several streams of a pose, then over all at once.

    Args:
        num_joints: joints v of the skeleton.
        streams: streams of the input.
        branch: channels of a stream and of the modules that it passes by itself.
        trunk: channels of the modules that all streams pass together.
        reduction: by how much bottlenecks are narrower than their module.
        embedding_channels: channels of the result.

    Source: Song et al., Stronger, Faster and More Explainable: A Graph Convolutional Baseline for
    Skeleton-based Action Recognition, ACM MM 2020, arXiv 2010.09978.
    """

    adjacency: Tensor

    def __init__(
        self,
        num_joints: int,
        streams: int,
        branch: Sequence[int],
        trunk: Sequence[int],
        reduction: int,
        embedding_channels: int,
    ) -> None:
        super().__init__()
        adjacency = hop_adjacency(skeleton_of(num_joints).edges, num_joints, MAX_HOP)
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.branches = nn.ModuleList(
            [_Branch(branch, reduction, num_joints) for _ in range(streams)]
        )
        widths = [streams * branch[-1], *trunk]
        # Time is halved where the trunk widens, and always on entering it.
        strides = [2, *(2 if before != after else 1 for before, after in pairwise(trunk))]
        self.trunk = nn.ModuleList(
            [
                _Module(*each, reduction, num_joints, stride=stride)
                for each, stride in zip(pairwise(widths), strides, strict=True)
            ]
        )
        self.head = nn.Linear(trunk[-1], embedding_channels)

    def forward(self, streams: Tensor) -> Tensor:
        """Embeddings [n, embedding_channels] of streams [n, i, c, s, v]."""
        pairs = zip(self.branches, streams.unbind(1), strict=True)
        maps = torch.cat([branch(each, self.adjacency) for branch, each in pairs], dim=1)
        for module in self.trunk:
            maps = module(maps, self.adjacency)
        embeddings: Tensor = self.head(maps.mean((2, 3)))
        return embeddings


class _Branch(nn.Module):
    """What one stream passes by itself; the first module is plain, without residuals."""

    def __init__(self, channels: Sequence[int], reduction: int, num_joints: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels[0])
        first, *others = pairwise(channels)
        self.layers = nn.ModuleList([_Plain(*first, num_joints)])
        self.layers.extend(_Module(*each, reduction, num_joints) for each in others)

    def forward(self, maps: Tensor, adjacency: Tensor) -> Tensor:
        maps = self.bn(maps)
        for layer in self.layers:
            maps = layer(maps, adjacency)
        return maps


class _Plain(nn.Module):
    """A graph convolution and a temporal one, each with normalisation and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, num_joints: int) -> None:
        super().__init__()
        self.importance = _importance(num_joints)
        self.spatial = GraphConvolution(in_channels, out_channels, HOPS_USED)
        self.spatial_bn = nn.BatchNorm2d(out_channels)
        self.temporal = temporal_convolution(out_channels, out_channels, FRAMES)
        self.temporal_bn = nn.BatchNorm2d(out_channels)

    def forward(self, maps: Tensor, adjacency: Tensor) -> Tensor:
        weights = (adjacency * self.importance)[:HOPS_USED]
        maps = F.relu(self.spatial_bn(self.spatial(maps, weights)), inplace=True)
        return F.relu(self.temporal_bn(self.temporal(maps)), inplace=True)


class _Module(nn.Module):
    """A graph convolution and a temporal one, each in a bottleneck with a residual."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        reduction: int,
        num_joints: int,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.importance = _importance(num_joints)
        width = out_channels // reduction
        self.spatial = _Bottleneck(
            in_channels, out_channels, GraphConvolution(width, width, HOPS_USED), width
        )
        self.temporal = _Bottleneck(
            out_channels,
            out_channels,
            temporal_convolution(width, width, FRAMES, stride),
            width,
            stride,
        )

    def forward(self, maps: Tensor, adjacency: Tensor) -> Tensor:
        weights = (adjacency * self.importance)[:HOPS_USED]
        maps = self.temporal(self.spatial(maps, weights))
        return maps


class _Bottleneck(nn.Module):
    """Narrow, convolve, widen; the maps themselves are added, projected where they do not fit."""

    def __init__(
        self, in_channels: int, out_channels: int, inner: nn.Module, width: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.down = Projection(in_channels, width, bias=True)
        self.down_bn = nn.BatchNorm2d(width)
        self.inner = inner
        self.inner_bn = nn.BatchNorm2d(width)
        self.up = Projection(width, out_channels, bias=True)
        self.up_bn = nn.BatchNorm2d(out_channels)
        self.residual = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.residual.append(Projection(in_channels, out_channels, (stride, 1), bias=True))
            self.residual.append(nn.BatchNorm2d(out_channels))

    def forward(self, maps: Tensor, *weights: Tensor) -> Tensor:
        narrow = F.relu(self.down_bn(self.down(maps)), inplace=True)
        narrow = F.relu(self.inner_bn(self.inner(narrow, *weights)), inplace=True)
        return F.relu(self.up_bn(self.up(narrow)) + self.residual(maps), inplace=True)


def _importance(num_joints: int) -> nn.Parameter:
    """A learnt factor for each entry of the adjacency."""
    return nn.Parameter(torch.ones(MAX_HOP + 1, num_joints, num_joints))
