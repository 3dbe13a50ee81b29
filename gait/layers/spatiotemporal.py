"""Residual blocks that see neighbouring frames, on maps of folded frames.

Maps stay [frames of all sequences, c, h, w] and channels-last throughout: the frames of a batch of
clips are views of it, so that no layer moves memory to find its neighbours in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.frames import across_frames
from gait.layers.residual import shortcut


class TemporalConv(nn.Conv2d):
    """A convolution over three neighbouring frames, pixel by pixel, with zeros beyond the ends.

    Args:
        channels: channels c, kept.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, (3, 1), padding=(1, 0), bias=False)

    def forward(self, maps: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, c, h, w] of maps [m, c, h, w], each sequence by itself."""
        return across_frames(maps, lengths, self._convolve)

    def _convolve(self, clips: Tensor) -> Tensor:
        # Time as the rows of an image and all pixels as its columns: both are views.
        image = F.conv2d(clips.transpose(1, 2).flatten(3), self.weight, padding=self.padding)
        return image.unflatten(3, clips.shape[3:]).transpose(1, 2)


class VolumeConv(nn.Conv3d):
    """A 3x3x3 convolution over pixels and frames, with zeros beyond the ends.

    Args:
        in_channels: channels c of the maps.
        out_channels: channels of the result.
        stride: step between the pixels that are kept; all frames are.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 3, (1, stride, stride), 1, bias=False)

    def forward(self, maps: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, out_channels, h / stride, w / stride] of maps [m, c, h, w]."""
        return across_frames(maps, lengths, self._convolve)

    def _convolve(self, clips: Tensor) -> Tensor:
        volume = F.conv3d(
            clips.transpose(1, 2), self.weight, stride=self.stride, padding=self.padding
        )
        return volume.transpose(1, 2)


class PseudoBlock(nn.Module):
    """A basic block with a temporal convolution, residual itself, between its 3x3 convolutions.

    Source: Qiu et al., Learning Spatio-Temporal Representation with Pseudo-3D Residual Networks,
    ICCV 2017, arXiv 1711.10305; as used by DeepGaitV2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.temporal = TemporalConv(out_channels)
        self.temporal_bn = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(in_channels, out_channels, stride)

    def forward(self, maps: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, out_channels, h / stride, w / stride] of maps [m, in_channels, h, w]."""
        inner: Tensor = self.relu(self.bn1(self.conv1(maps)))
        inner = self.relu(self.temporal_bn(self.temporal(inner, lengths)).add_(inner))
        inner = self.bn2(self.conv2(inner))
        outer: Tensor = self.relu(inner.add_(self.shortcut(maps)))
        return outer


class VolumeBlock(nn.Module):
    """A basic block of 3x3x3 convolutions.

    Source: Hara et al., Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?,
    CVPR 2018, arXiv 1711.09577; with its strides in space alone.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.volume1 = VolumeConv(in_channels, out_channels, stride)
        self.volume1_bn = nn.BatchNorm2d(out_channels)
        self.volume2 = VolumeConv(out_channels, out_channels)
        self.volume2_bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(in_channels, out_channels, stride)

    def forward(self, maps: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, out_channels, h / stride, w / stride] of maps [m, in_channels, h, w]."""
        inner: Tensor = self.relu(self.volume1_bn(self.volume1(maps, lengths)))
        inner = self.volume2_bn(self.volume2(inner, lengths))
        outer: Tensor = self.relu(inner.add_(self.shortcut(maps)))
        return outer


class ClipStages(nn.ModuleList):
    """Stages of blocks that see neighbouring frames; a stage of no blocks is the identity.

    Args:
        in_channels: channels of the maps that come in.
        channels: channels of each stage.
        blocks: residual blocks of each stage.
        strides: stride of each stage, in space.
        mode: 'p3d' for `PseudoBlock`, '3d' for `VolumeBlock`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        strides: Sequence[int],
        mode: Literal["p3d", "3d"] = "p3d",
    ) -> None:
        super().__init__()
        kind = {"p3d": PseudoBlock, "3d": VolumeBlock}[mode]
        for out_channels, number, stride in zip(channels, blocks, strides, strict=True):
            stage = nn.ModuleList()
            for index in range(number):
                stage.append(kind(in_channels, out_channels, 1 if index else stride))
                in_channels = out_channels
            self.append(stage)
        self.out_channels = in_channels

    def forward(self, maps: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, out_channels, h', w'] of maps [m, in_channels, h, w] of folded frames."""
        for stage in self:
            for block in stage:
                maps = block(maps, lengths)
        return maps
