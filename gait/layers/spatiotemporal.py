"""Residual blocks that see neighbouring frames, on maps of folded frames.

Maps stay [frames of all sequences, c, h, w] and channels-last throughout: the frames of a batch of
clips are views of it, so that no layer moves memory to find its neighbours in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from gait.layers.residual import shortcut
from gait.layers.sequences import across_frames

_input_gradient: Callable[..., Tensor] = conv2d_input


class TemporalConv(nn.Conv2d):
    """A convolution over three neighbouring frames, pixel by pixel, with zeros beyond the ends.

    Args:
        channels: channels c, kept.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, (3, 1), padding=(1, 0), bias=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [n, s, c, h, w] of clips [n, s, c, h, w]."""
        # Time as the rows of an image and all pixels as its columns: both are views.
        image = clips.transpose(1, 2).flatten(3)
        if clips.is_cpu:
            convolve: Callable[..., Tensor] = _ConvolveRows.apply
            image = convolve(image, self.weight)
        else:
            image = F.conv2d(image, self.weight, padding=self.padding)
        return image.view(*image.shape[:3], *clips.shape[3:]).transpose(1, 2)


class _ConvolveRows(torch.autograd.Function):
    """A convolution with kernels 3x1 whose weight gradient is three matrix products.

    oneDNN takes two to five times as long for it when maps are channels-last (torch 2.13).
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(images, weight)
        return F.conv2d(images, weight, padding=(1, 0))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        images, weight = ctx.saved_tensors
        gradient = gradient.to(weight.dtype)
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            of_images = _input_gradient(images.shape, weight, gradient, padding=(1, 0))
        if ctx.needs_input_grad[1]:
            width = images.shape[3]
            pixels, slopes = (
                each.permute(0, 2, 3, 1).flatten(1, 2) for each in (images, gradient)
            )
            pairs = (
                (slopes[:, width:], pixels[:, :-width]),
                (slopes, pixels),
                (slopes[:, :-width], pixels[:, width:]),
            )
            of_weight = torch.empty_like(weight)
            nothing = weight.new_zeros(())
            for row, (steep, seen) in enumerate(pairs):
                of_weight[:, :, row, 0] = nothing.addbmm(steep.transpose(1, 2), seen)
        return of_images, of_weight


class VolumeConv(nn.Conv3d):
    """A 3x3x3 convolution over pixels and frames, with zeros beyond the ends.

    Args:
        in_channels: channels c of the clips.
        out_channels: channels of the result.
        stride: step between the pixels that are kept; all frames are.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, 3, (1, stride, stride), 1, bias=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [n, s, out_channels, h / stride, w / stride] of clips [n, s, c, h, w]."""
        return super().forward(clips.transpose(1, 2)).transpose(1, 2)


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
        moved = self.temporal_bn(across_frames(inner, lengths, self.temporal))
        inner = self.relu(moved.add_(inner))
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
        inner: Tensor = self.relu(self.volume1_bn(across_frames(maps, lengths, self.volume1)))
        inner = self.volume2_bn(across_frames(inner, lengths, self.volume2))
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
        mode: str = "p3d",
    ) -> None:
        super().__init__()
        kind = PseudoBlock if mode == "p3d" else VolumeBlock
        for out_channels, number, stride in zip(channels, blocks, strides, strict=True):
            stage = nn.ModuleList()
            for index in range(number):
                stage.append(kind(in_channels, out_channels, 1 if index else stride))
                in_channels = out_channels
            self.append(stage)
        self.out_channels = in_channels

    def forward(self, maps: Tensor, lengths: list[int]) -> Tensor:
        """Maps [m, out_channels, h', w'] of maps [m, in_channels, h, w] of folded frames."""
        for block in self.blocks():
            maps = block(maps, lengths)
        return maps

    def blocks(self) -> Iterator[nn.Module]:
        """The blocks of all stages, in order."""
        for stage in self.children():
            yield from stage.children()
