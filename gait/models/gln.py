"""GLN: a feature pyramid from silhouettes and sets of them, and a compact code on top."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.backbones.plain import Plain
from gait.layers.frames import fold_frames
from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.initialise import initialise
from gait.layers.part_linear import PartLinear
from gait.layers.projection import Projection
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class GLN(nn.Module):
    """Frame and set features of three sizes, joined from the smallest to the largest.

    It is trained in two phases: without the compact block, then with it, from the weights of the
    first. What is compared is the same in both.

    Args:
        num_classes: identities of the training set; without a compact block of no use.
        channels: channels of the three stages.
        lateral_channels: channels of the joined maps.
        embedding_channels: channels of each part's embedding, and of the compact code.
        bins: strips of the horizontal pyramid, for each of the three sizes.
        compact: add the compact block, which classifies one short code of all parts.
        dropout: share of the normalised embedding that the compact block does not see.
        in_channels: channels of a frame, 1 for silhouettes.

    Source: Hou et al., Gait Lateral Network: Learning Discriminative and Compact Representations
    for Gait Recognition, ECCV 2020.
    """

    def __init__(
        self,
        num_classes: int = 0,
        channels: Sequence[int] = (32, 64, 128),
        lateral_channels: int = 256,
        embedding_channels: int = 256,
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        compact: bool = False,
        dropout: float = 0.9,
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        first, second, third = channels
        self.frame_stages = nn.ModuleList(
            [
                _stage(in_channels, first, first_kernel=5),
                _stage(first, second),
                _stage(second, third),
            ]
        )
        self.set_stages = nn.ModuleList([_stage(first, second), _stage(second, third)])
        self.spatial_pooling = nn.MaxPool2d(2)
        self.lateral = nn.ModuleList(Projection(2 * each, lateral_channels) for each in channels)
        self.smooth = nn.ModuleList(
            nn.Conv2d(lateral_channels, lateral_channels, 3, padding=1, bias=False)
            for _ in channels
        )
        self.horizontal_pooling = HorizontalPooling(bins)
        parts = len(channels) * self.horizontal_pooling.parts
        self.part_linear = PartLinear(parts, lateral_channels, embedding_channels)
        self.compact = (
            CompactBlock(parts * embedding_channels, embedding_channels, num_classes, dropout)
            if compact
            else None
        )
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, 3 * sum(bins)].

        With a compact block the field 'logits', [n, k, 1].

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1 or maps [n, s, c, h, w], h and w
                divisible by 4; packed on the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        pyramid = self._joined(self._maps(frames, lengths))
        parts = torch.cat([self.horizontal_pooling(maps) for maps in pyramid], 2)
        embeddings = self.part_linear(parts).float()
        if self.compact is None:
            return ModelOutput(embeddings)
        logits = self.compact(embeddings.flatten(1)).unsqueeze(2).float()
        return ModelOutput(embeddings, {"logits": logits})

    def _maps(self, frames: Tensor, lengths: list[int]) -> list[Tensor]:
        """Frame and set features together, [n, 2 c, h, w], from the largest size to the least."""
        frames = self.frame_stages[0](frames)
        pooled = set_max(frames, lengths)
        # Before the first stage of its own, the set has no features but these.
        whole = pooled
        maps = [torch.cat([pooled, whole], 1)]
        for frame_stage, set_stage in zip(self.frame_stages[1:], self.set_stages, strict=True):
            frames = frame_stage(self.spatial_pooling(frames))
            pooled = set_max(frames, lengths)
            whole = set_stage(self.spatial_pooling(whole)) + pooled
            maps.append(torch.cat([pooled, whole], 1))
        return maps

    def _joined(self, maps: list[Tensor]) -> list[Tensor]:
        """Each size joined with what the smaller ones saw, [n, lateral_channels, h, w]."""
        lateral = [layer(each) for layer, each in zip(self.lateral, maps, strict=True)]
        joined = lateral[-1:]
        for each in reversed(lateral[:-1]):
            joined.insert(0, each + F.interpolate(joined[0], scale_factor=2.0, mode="nearest"))
        return [layer(each) for layer, each in zip(self.smooth, joined, strict=True)]


class CompactBlock(nn.Sequential):
    """Squeezes an embedding into a short code that classifies: logits [n, k] of [n, channels].

    Args:
        channels: numbers of an embedding.
        code_channels: numbers of the code.
        num_classes: identities k.
        dropout: share of the normalised embedding that is dropped in training.
    """

    def __init__(
        self, channels: int, code_channels: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__(
            nn.BatchNorm1d(channels),
            nn.Dropout(dropout),
            nn.ReLU(inplace=True),
            nn.Linear(channels, code_channels, bias=False),
            nn.BatchNorm1d(code_channels),
            nn.Linear(code_channels, num_classes, bias=False),
        )
        for each in self:
            if isinstance(each, nn.BatchNorm1d):
                each.bias.requires_grad_(False)


def _stage(in_channels: int, out_channels: int, first_kernel: int = 3) -> Plain:
    return Plain([f"BC-{out_channels}"] * 2, in_channels, first_kernel)
