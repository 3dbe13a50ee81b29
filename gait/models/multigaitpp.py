"""MultiGait++: what two modalities share and what is each one's own, in three streams."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.layers.attention_fusion import squeezed
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.projection import Projection
from gait.layers.residual import Stem, stage
from gait.layers.set_pooling import set_max
from gait.layers.spatiotemporal import ClipStages
from gait.types import ModelOutput


class MultiGaitPP(nn.Module):
    """The trunk of DeepGaitV2 for each modality and for what both have in common.

    Args:
        num_classes: identities of the training set.
        part_channels: channels of a frame in the first and in the second modality.
        channels: channels of the four stages; the last is shared by the streams.
        blocks: residual blocks of each stage.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.

    Source: Jin et al., Exploring More from Multiple Gait Modalities for Human Identification,
    AAAI 2025, arXiv 2412.11495.
    """

    def __init__(
        self,
        num_classes: int,
        part_channels: Sequence[int] = (1, 1),
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
    ) -> None:
        super().__init__()
        width, *middle, last = channels
        self.part_channels = list(part_channels)
        self.frame_stages = nn.ModuleList(
            nn.Sequential(Stem(each, width), stage(width, width, blocks[0], stride=1))
            for each in part_channels
        )
        self.sharing = Sharing(width)
        # The first modality, what both share, the second modality.
        self.streams = nn.ModuleList(
            ClipStages(width, middle, blocks[1:3], strides=(2, 2)) for _ in range(3)
        )
        self.fusion = Projection(3 * middle[-1], middle[-1])
        self.clip_stages = ClipStages(middle[-1], [last], blocks[3:], strides=(1,))
        self.head = PartHead(last, num_classes, embedding_channels, bins)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor [n, s, sum(part_channels), h, w] in 0..1, the first modality first;
                packed on the frame axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        parts = torch.split(frames, self.part_channels, 1)
        maps = [stem(part) for stem, part in zip(self.frame_stages, parts, strict=True)]
        streams = [
            stream(each, lengths)
            for stream, each in zip(self.streams, self.sharing(*maps), strict=True)
        ]
        fused = self.clip_stages(self.fusion(torch.cat(streams, 1)), lengths)
        output: ModelOutput = self.head(set_max(fused, lengths))
        return output


class Sharing(nn.Module):
    """Splits two maps of one frame into what is each one's own and what they have in common.

    What attention gives to both is common; of the rest, each keeps its own share (the paper's
    C-squared block).

    Args:
        channels: channels c of each map.
        squeeze: by how much the inner layers of the attention are narrower.
    """

    def __init__(self, channels: int, squeeze: int = 16) -> None:
        super().__init__()
        inner = channels // squeeze
        self.first = squeezed(channels, inner, channels, kernel=1)
        self.second = squeezed(channels, inner, channels, kernel=1)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps [m, c, h, w]: the first's own, what they have in common, the second's own."""
        weights = torch.stack([self.first(first), self.second(second)]).softmax(0)
        common = weights.amin(0)
        least, most = common.aminmax(dim=1, keepdim=True)
        shared = (common - least) / (most - least + 1e-6)
        of_first, of_second = (1 - shared) * weights
        return of_first * first, shared * (first + second) / 2, of_second * second
