"""The encoder that self-supervised training shapes and finetuning starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from gait import registry
from gait.layers.frames import fold_frames
from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.projector import Projector
from gait.layers.set_pooling import set_max


class PartEncoder(nn.Module):
    """A backbone frame by frame, temporal maximum, horizontal parts and their projection.

    Args:
        backbone: name and parameters of a backbone that works frame by frame.
        bins: strips of the horizontal pooling.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos: A
    Benchmark, TPAMI 2023, arXiv 2206.13964.
    """

    def __init__(self, backbone: dict[str, Any], bins: Sequence[int]) -> None:
        super().__init__()
        self.backbone = registry.build("backbone", backbone)
        self.channels: int = self.backbone.out_channels
        self.pooling = HorizontalPooling(bins)
        self.projector = Projector(self.parts, self.channels)

    @property
    def parts(self) -> int:
        """Number of parts p."""
        return self.pooling.parts

    def forward(self, frames: Tensor, lengths: list[int] | None) -> Tensor:
        """Projected parts [n, channels, p] of frames as `fold_frames` takes them."""
        maps, lengths = fold_frames(frames, lengths)
        parts: Tensor = self.projector(self.pooling(set_max(self.backbone(maps), lengths)))
        return parts.float()
