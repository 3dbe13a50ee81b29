"""The residual backbone of GaitBase."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from gait.errors import ConfigError
from gait.layers.residual import Stem, stage


class ResNet9(nn.Sequential):
    """A stem and four stages of basic blocks, frame by frame.

    Maps [m, in_channels, h, w] become [m, channels[-1], h', w'], smaller by the strides.

    Args:
        channels: channels of the stages; the stem has those of the first.
        blocks: residual blocks of each stage; 0 leaves a stage out.
        strides: stride of each stage.
        in_channels: channels of a frame, 1 for silhouettes.

    Source: Fan et al., OpenGait: Revisiting Gait Recognition Toward Better Practicality,
    CVPR 2023, arXiv 2211.06597, section 4.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        strides: Sequence[int] = (1, 2, 2, 1),
        in_channels: int = 1,
    ) -> None:
        if not len(channels) == len(blocks) == len(strides):
            raise ConfigError(
                f"model.backbone: channels, blocks and strides must name as many stages, got "
                f"{list(channels)}, {list(blocks)} and {list(strides)}"
            )
        stages: list[nn.Module] = [Stem(in_channels, channels[0])]
        width = channels[0]
        for out_channels, number, stride in zip(channels, blocks, strides, strict=True):
            stages.append(stage(width, out_channels, number, stride))
            width = out_channels if number else width
        super().__init__(*stages)
        self.out_channels = width
