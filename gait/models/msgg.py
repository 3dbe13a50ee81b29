"""MsGG: a walk as joints, as limbs and as parts of the body."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.graph import GraphConvolution, hop_adjacency, temporal_convolution
from gait.layers.initialise import initialise
from gait.layers.projection import Projection
from gait.layers.sequences import by_length
from gait.types import ModelOutput

# Edges from the outer end to the inner one, and the nodes nearest to the middle, at each level:
# the 12 joints in the order of `MsGGInput`, 6 limbs, and 3 parts: trunk, one side's limbs and the
# other's.
LEVELS = (
    (
        12,
        (
            *((7, 1), (1, 0), (10, 4), (4, 6), (8, 2), (2, 3)),
            *((11, 5), (5, 9), (9, 3), (3, 0), (9, 6), (6, 0)),
        ),
        {0, 3, 6, 9},
    ),
    (6, ((1, 0), (4, 0), (0, 3), (2, 3), (5, 3)), {0, 3}),
    (3, ((1, 0), (2, 0)), {0}),
)
KINDS = 3
FRAMES = 9


class MsGG(nn.Module):
    """Three streams of spatial-temporal graph convolutions, each coarser than the one below.

    Joints i and i + 6 make limb i, limbs i and i + 3 part i. After each block, what the finer
    stream found is added to the next coarser one. The parts' embeddings are compared.

    Args:
        num_classes: identities of the training set.
        channels: channels of a joint, then of every two blocks.
        embedding_channels: channels of the embedding.

    Source: Peng et al., Learning Rich Features for Gait Recognition by Integrating Skeletons and
    Silhouettes, Multimedia Tools and Applications 2023, arXiv 2110.13408 (multi-scale gait graph).
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (3, 16, 32, 64, 128),
        embedding_channels: int = 128,
    ) -> None:
        super().__init__()
        self.streams = nn.ModuleList([_Stream(channels, *level) for level in LEVELS])
        self.head = nn.Linear(channels[-1], embedding_channels)
        self.neck = nn.BatchNorm1d(embedding_channels)
        self.classifier = nn.Linear(embedding_channels, num_classes, bias=False)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, 1] of poses.

        Fields: 'joints' and 'limbs' [n, c, 1], the features of the finer streams; 'logits'
        [n, k, 1].

        Args:
            inputs: one tensor, x, y and confidence of the joints that `MsGGInput` picks
                [n, s, 12, 3]; packed on the frame axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        return by_length(self._embedded, inputs[0], lengths)

    def _embedded(self, poses: Tensor) -> ModelOutput:
        joints = poses.permute(0, 3, 1, 2)
        limbs = _paired(joints)
        parts = _paired(limbs)
        for of_joints, of_limbs, of_parts in zip(*self.streams, strict=True):
            joints = of_joints(joints)
            limbs = of_limbs(limbs) + _paired(joints)
            parts = of_parts(parts) + _paired(limbs)
        found: Tensor = self.head(parts.mean((2, 3)))
        logits = self.classifier(self.neck(found))
        fields = {"joints": joints.mean((2, 3)), "limbs": limbs.mean((2, 3)), "logits": logits}
        return ModelOutput(
            found.float().unsqueeze(2),
            {name: each.float().unsqueeze(2) for name, each in fields.items()},
        )


class _Stream(nn.ModuleList):
    """The blocks of one level, two for each width."""

    def __init__(
        self,
        channels: Sequence[int],
        nodes: int,
        edges: Sequence[tuple[int, int]],
        inner: set[int],
    ) -> None:
        adjacency = inward_adjacency(nodes, edges, inner)
        blocks = []
        for index, (before, after) in enumerate(pairwise(channels)):
            blocks.append(_Block(before, after, adjacency, residual=index > 0))
            blocks.append(_Block(after, after, adjacency))
        super().__init__(blocks)


class _Block(nn.Module):
    """Maps [n, c, s, v] to maps [n, out_channels, s, v]."""

    adjacency: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, adjacency: Tensor, *, residual: bool = True
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(adjacency))
        self.spatial = GraphConvolution(in_channels, out_channels, KINDS)
        self.spatial_bn = nn.BatchNorm2d(out_channels)
        self.temporal = temporal_convolution(out_channels, out_channels, FRAMES)
        self.temporal_bn = nn.BatchNorm2d(out_channels)
        self.residual = nn.Sequential() if residual else None
        if self.residual is not None and in_channels != out_channels:
            self.residual.append(Projection(in_channels, out_channels, bias=True))
            self.residual.append(nn.BatchNorm2d(out_channels))

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.spatial(maps, self.adjacency * self.importance)
        inner = self.temporal(F.relu(self.spatial_bn(inner), inplace=True))
        inner = self.temporal_bn(inner)
        return F.relu(inner if self.residual is None else inner + self.residual(maps))


def inward_adjacency(nodes: int, edges: Sequence[tuple[int, int]], inner: set[int]) -> Tensor:
    """Neighbours in three kinds: the node itself, inner nodes, outer nodes.

    Returns:
        [3, nodes, nodes], float32; columns add up to one over all kinds.
    """
    itself, others = hop_adjacency(edges, nodes, 1)
    is_inner = torch.tensor([[each in inner] for each in range(nodes)])
    return torch.stack([itself, others * is_inner, others * ~is_inner])


def _paired(maps: Tensor) -> Tensor:
    """The mean of node i and node i + v / 2: maps [n, c, s, v / 2]."""
    first, second = maps.chunk(2, dim=3)
    return (first + second) / 2
