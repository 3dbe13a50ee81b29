"""The trunk of DeepGaitV2 and of what is built on it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gait.errors import ConfigError
from gait.layers.residual import Stem, stage
from gait.layers.spatiotemporal import ClipStages


class DeepResidual(nn.Module):
    """A stem and stages of residual blocks: the first frame by frame, the others over clips.

    Args:
        mode: blocks of the stages after the first: '2d' sees single frames, 'p3d' and '3d' their
            neighbours too.
        channels: channels of the stages; the stem has those of the first.
        blocks: residual blocks of each stage.
        strides: stride of each stage, in space.
        in_channels: channels of a frame, 1 for silhouettes.

    Raises:
        ConfigError: an unknown mode, or lists of unequal length.

    Source: Fan et al., Exploring Deep Models for Practical Gait Recognition, 2023,
    arXiv 2303.03301, section 3.
    """

    def __init__(
        self,
        mode: str = "p3d",
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        strides: Sequence[int] = (1, 2, 2, 1),
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        if not len(channels) == len(blocks) == len(strides):
            raise ConfigError(
                f"model: channels, blocks and strides must name as many stages, got "
                f"{list(channels)}, {list(blocks)} and {list(strides)}"
            )
        if mode not in ("2d", "p3d", "3d"):
            raise ConfigError(f"model.mode: expected '2d', 'p3d' or '3d', got {mode!r}")
        width = channels[0]
        self.frame_stages = nn.Sequential(
            Stem(in_channels, width), stage(width, width, blocks[0], strides[0])
        )
        deeper = list(zip(channels, blocks, strides, strict=True))[1:]
        self.clip_stages: ClipStages | None = None
        if mode == "2d":
            for out_channels, number, stride in deeper:
                self.frame_stages.append(stage(width, out_channels, number, stride))
                width = out_channels if number else width
        elif mode == "p3d" or mode == "3d":
            self.clip_stages = ClipStages(width, channels[1:], blocks[1:], strides[1:], mode)
            width = self.clip_stages.out_channels
        self.out_channels = width

    def forward(self, frames: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, channels[-1], h', w'] of folded frames [m, in_channels, h, w]."""
        maps: Tensor = self.frame_stages(frames)
        return maps if self.clip_stages is None else self.clip_stages(maps, lengths)
