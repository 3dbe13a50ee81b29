"""Body parts that a parsing map labels, as a graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Labels of a parsing map; 0 is the background.
HEAD, TORSO, LEFT_ARM, RIGHT_ARM, LEFT_HAND, RIGHT_HAND = 1, 2, 3, 4, 5, 6
LEFT_LEG, RIGHT_LEG, LEFT_FOOT, RIGHT_FOOT, DRESS = 7, 8, 9, 10, 11
NUM_LABELS = 12

_Nodes = tuple[tuple[int, ...], ...]
_Edges = tuple[tuple[int, int], ...]

_FINE: _Nodes = tuple((label,) for label in range(1, NUM_LABELS))
_COARSE: _Nodes = (
    (HEAD, TORSO, DRESS),
    (LEFT_ARM, LEFT_HAND),
    (RIGHT_ARM, RIGHT_HAND),
    (LEFT_LEG, LEFT_FOOT),
    (RIGHT_LEG, RIGHT_FOOT),
)
_TOUCHING: _Edges = (
    (HEAD, TORSO),
    (HEAD, DRESS),
    (TORSO, LEFT_ARM),
    (TORSO, RIGHT_ARM),
    (TORSO, LEFT_LEG),
    (TORSO, RIGHT_LEG),
    (DRESS, LEFT_ARM),
    (DRESS, RIGHT_ARM),
    (DRESS, LEFT_LEG),
    (DRESS, RIGHT_LEG),
    (LEFT_ARM, LEFT_HAND),
    (RIGHT_ARM, RIGHT_HAND),
    (LEFT_LEG, LEFT_FOOT),
    (RIGHT_LEG, RIGHT_FOOT),
)
# Labels of each node, and the pairs of nodes that are joined.
GRAPHS: dict[str, tuple[_Nodes, _Edges]] = {
    "fine": (_FINE, tuple((first - 1, second - 1) for first, second in _TOUCHING)),
    "coarse": (_COARSE, ((0, 1), (0, 2), (0, 3), (0, 4))),
}


def normalised_adjacency(nodes: int, edges: Sequence[tuple[int, int]]) -> Tensor:
    """D^-1/2 (A + I) D^-1/2 of an undirected graph, [nodes, nodes].

    Source: Kipf and Welling, Semi-Supervised Classification with Graph Convolutional Networks,
    ICLR 2017, arXiv 1609.02907.
    """
    adjacency = torch.eye(nodes)
    for first, second in edges:
        adjacency[first, second] = adjacency[second, first] = 1
    root = adjacency.sum(1).rsqrt()
    return root.unsqueeze(1) * adjacency * root


class GraphConvolution(nn.Module):
    """Mixes the features of joined nodes; dropout before, batch normalisation and ReLU after.

    Args:
        nodes: number of nodes p.
        channels: channels c of a node, kept.
        dropout: share of the values that training drops.

    Source: as `normalised_adjacency`.
    """

    def __init__(self, nodes: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.empty(channels, channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.bn = nn.BatchNorm1d(nodes * channels)
        nn.init.xavier_uniform_(self.weight)

    def forward(self, features: Tensor, adjacency: Tensor) -> Tensor:
        """Features [m, p, c] of features [m, p, c]."""
        mixed = adjacency @ (self.dropout(features) @ self.weight) + self.bias
        return F.relu(self.bn(mixed.flatten(1))).view(mixed.shape)


class PartGraph(nn.Module):
    """Features of labelled parts, exchanged along a graph of the body, frame by frame.

    A part's feature is pooled over the whole map, in which the part's own pixels weigh gamma and
    all others 1 - gamma; each part learns its gamma.

    Args:
        name: 'fine' for one node a label, 'coarse' for the trunk and four limbs.
        channels: channels c of the maps.
        dropout: share of the values that training drops before each of the two convolutions.

    Source: Zheng et al., Parsing is All You Need for Accurate Gait Recognition in the Wild,
    ACM MM 2023, arXiv 2308.16739.
    """

    adjacency: Tensor
    members: Tensor

    def __init__(self, name: str, channels: int, dropout: float = 0.5) -> None:
        super().__init__()
        groups, edges = GRAPHS[name]
        self.nodes = len(groups)
        self.gammas = nn.Parameter(torch.full((self.nodes,), 0.75))
        self.convolutions = nn.ModuleList(
            GraphConvolution(self.nodes, channels, dropout) for _ in range(2)
        )
        members = torch.zeros(self.nodes, NUM_LABELS)
        for node, labels in enumerate(groups):
            members[node, list(labels)] = 1
        adjacency = normalised_adjacency(self.nodes, edges)
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("adjacency", adjacency, persistent=False)

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        """Features [m, p, c] of maps [m, c, h, w] and their labels [m, h, w], 0 to 11."""
        features = self._pooled(maps, labels)
        for convolution in self.convolutions:
            features = convolution(features, self.adjacency)
        return features

    def _pooled(self, maps: Tensor, labels: Tensor) -> Tensor:
        each = torch.arange(NUM_LABELS, device=labels.device).view(-1, 1)
        is_label = (labels.flatten(1).unsqueeze(1) == each).to(maps.dtype)
        inside = self.members.to(maps.dtype) @ is_label
        gammas = self.gammas.view(-1, 1)
        weights = gammas * inside + (1 - gammas) * (1 - inside)
        pixels = maps.flatten(2)
        mean = weights @ pixels.transpose(1, 2) / pixels.shape[2]
        # Node by node: all weighted maps at once would be as many times the memory.
        largest = [(pixels * weight).max(2).values for weight in torch.split(weights, 1, 1)]
        return mean + torch.stack(largest, 1)
