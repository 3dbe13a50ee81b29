"""ParsingGait: a body whose parts are labelled, as a whole and as a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait import registry
from gait.errors import ConfigError, nearest
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_graph import GRAPHS, PartGraph
from gait.layers.part_head import PartHead
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class ParsingGait(nn.Module):
    """Horizontal parts as in GaitBase, and beside them the nodes of graphs of the body's parts.

    Args:
        num_classes: identities of the training set.
        backbone: name and parameters of a backbone that works frame by frame.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        graphs: 'fine' (11 nodes), 'coarse' (5 nodes), or both; their nodes follow the strips.
        dropout: share of the values that training drops before each graph convolution.

    Raises:
        ConfigError: an unknown graph.

    Source: Zheng et al., Parsing is All You Need for Accurate Gait Recognition in the Wild,
    ACM MM 2023, arXiv 2308.16739.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: dict[str, Any],
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
        graphs: Sequence[str] = ("coarse",),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if unknown := [each for each in graphs if each not in GRAPHS]:
            raise ConfigError(
                f"model.graphs: no graph is named {unknown[0]!r}; {nearest(unknown[0], GRAPHS)}"
            )
        self.backbone = registry.build("backbone", backbone)
        channels = self.backbone.out_channels
        self.graphs = nn.ModuleDict({name: PartGraph(name, channels, dropout) for name in graphs})
        self.head = PartHead(
            channels,
            num_classes,
            embedding_channels,
            bins,
            more_parts=sum(len(GRAPHS[name][0]) for name in graphs),
        )
        initialise(self, channels_last=False)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor, parsing maps [n, s, h, w] with labels 0 to 11; packed on the frame
                axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        maps = self.backbone(frames)
        labels = F.interpolate(frames, maps.shape[2:]).squeeze(1)
        parts = [self.head.pooling(set_max(maps, lengths))]
        for graph in self.graphs.values():
            parts.append(set_max(graph(maps, labels), lengths).transpose(1, 2))
        return self.head.of_parts(torch.cat(parts, 2))
