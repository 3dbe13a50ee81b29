"""Graphs of joints: adjacencies, and the convolution over them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gait.layers.projection import Projection


def hop_adjacency(edges: Iterable[tuple[int, int]], num_joints: int, max_hop: int) -> Tensor:
    """Who is how many edges away from whom.

    All joints that are no more than `max_hop` edges apart are adjacent, each to itself as well;
    columns add up to one, and each class of distance has a matrix of its own.

    Returns:
        [max_hop + 1, num_joints, num_joints], float32.

    Source: Song et al., Stronger, Faster and More Explainable: A Graph Convolutional Baseline for
    Skeleton-based Action Recognition, ACM MM 2020, arXiv 2010.09978, section 3.1.
    """
    direct = torch.eye(num_joints, dtype=torch.float64)
    for first, second in edges:
        direct[first, second] = direct[second, first] = 1
    within = torch.stack([torch.linalg.matrix_power(direct, hop) for hop in range(max_hop + 1)])
    within = (within > 0).double()
    exactly = torch.cat([within[:1], within.diff(dim=0)])
    return (exactly / within[-1].sum(0)).float()


class GraphConvolution(nn.Module):
    """Each joint takes up what its neighbours send; one linear map for each kind of neighbour.

    Args:
        in_channels: channels of a joint.
        out_channels: channels of the result.
        kinds: kinds k of neighbours.

    Source: Yan et al., Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action
    Recognition, AAAI 2018, arXiv 1801.07455, section 3.3.
    """

    def __init__(self, in_channels: int, out_channels: int, kinds: int) -> None:
        super().__init__()
        self.kinds = kinds
        self.projection = Projection(in_channels, kinds * out_channels, bias=True)

    def forward(self, maps: Tensor, adjacency: Tensor) -> Tensor:
        """Maps [n, out_channels, s, v] of maps [n, in_channels, s, v].

        Args:
            adjacency: [k, v, v]; for each kind, what goes from a joint (row) to a joint (column).
        """
        n, _, s, v = maps.shape
        # Channels last, so that each frame is one product of matrices that lie as they are.
        sent = self.projection(maps).permute(0, 2, 3, 1).reshape(n * s, v * self.kinds, -1)
        weights = adjacency.permute(2, 1, 0).reshape(v, v * self.kinds)
        taken_up = torch.matmul(weights, sent)
        return taken_up.view(n, s, v, -1).permute(0, 3, 1, 2)


def temporal_convolution(
    in_channels: int, out_channels: int, frames: int, stride: int = 1
) -> nn.Conv2d:
    """A convolution along time, each joint by itself: maps [n, c, s, v] to maps alike."""
    return nn.Conv2d(
        in_channels, out_channels, (frames, 1), (stride, 1), padding=((frames - 1) // 2, 0)
    )
