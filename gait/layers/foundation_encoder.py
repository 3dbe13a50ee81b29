"""The encoder of FoundationGait."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.errors import TrainingError
from gait.layers.deep_residual import DeepResidual
from gait.layers.frames import fold_frames
from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.projector import Predictor, Projector
from gait.layers.set_pooling import set_max
from gait.layers.strips import encode_strips


class FoundationEncoder(nn.Module):
    """The trunk of DeepGaitV2, temporal maximum, horizontal parts; a projector and a predictor.

    Args:
        channels: channels of the four stages.
        blocks: residual blocks of each stage.
        bins: strips of the horizontal pooling.

    Source: as `gait.models.foundationgait_pretrain`.
    """

    def __init__(
        self, channels: Sequence[int], blocks: Sequence[int], bins: Sequence[int]
    ) -> None:
        super().__init__()
        self.backbone = DeepResidual("p3d", channels, blocks)
        self.channels = self.backbone.out_channels
        self.pooling = HorizontalPooling(bins)
        self.parts = self.pooling.parts
        self.projector = Projector(self.parts, self.channels)
        self.predictor = Predictor(self.parts, self.channels)

    def forward(
        self, frames: Tensor, lengths: list[int] | None, crops: Sequence[int] = ()
    ) -> Tensor:
        """Projected parts [n, channels, p] of frames as `fold_frames` takes them.

        Args:
            frames: silhouettes, with `lengths` as for `fold_frames`.
            lengths: frames of each packed sequence.
            crops: cut the batch into as many groups of sequences, one after the other, and the
                frames of each group into that number of strips, see `encode_strips`. Needs a
                rectangular batch; where processes share a batch, each one's part is cut so.

        Raises:
            TrainingError: fewer sequences than groups.
        """
        if not crops:
            folded, lengths = fold_frames(frames, lengths)
            maps = set_max(self.backbone(folded, lengths), lengths)
        else:
            maps = self._cropped(frames.unsqueeze(2), crops)
        parts: Tensor = self.projector(self.pooling(maps))
        return parts.float()

    def _cropped(self, clips: Tensor, crops: Sequence[int]) -> Tensor:
        """Maps [n, c, h, w] of clips [n, s, 1, h, w], encoded strip by strip."""
        if len(clips) < len(crops):
            raise TrainingError(
                f"a process has {len(clips)} sequences of the batch, which cannot be cut into "
                f"{len(crops)} groups (model.crops); draw more sequences (sampler), use fewer "
                "processes or list fewer crops"
            )
        groups = clips.tensor_split(len(crops))
        return torch.cat(
            [
                encode_strips(self._encode, group, strips)
                for group, strips in zip(groups, crops, strict=True)
            ]
        )

    def _encode(self, clips: Tensor) -> Tensor:
        folded, lengths = fold_frames(clips, None)
        return set_max(self.backbone(folded, lengths), lengths)
