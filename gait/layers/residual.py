"""Residual blocks on maps of single frames."""

from __future__ import annotations

from torch import Tensor, nn

from gait.layers.projection import Projection


class Stem(nn.Sequential):
    """Convolution 3x3, batch normalisation, ReLU; keeps the map's size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """The way past a block: a 1x1 convolution where it changes the map's shape, or nothing."""
    if stride == 1 and in_channels == out_channels:
        return nn.Sequential()
    return nn.Sequential(
        Projection(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels)
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a shortcut.

    The shortcut is a 1x1 convolution where the stride or the number of channels changes.

    Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(in_channels, out_channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [m, out_channels, h / stride, w / stride] of maps [m, in_channels, h, w]."""
        inner: Tensor = self.relu(self.bn1(self.conv1(maps)))
        inner = self.bn2(self.conv2(inner))
        outer: Tensor = self.relu(inner.add_(self.shortcut(maps)))
        return outer


def stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` basic blocks, the first with the stride; with none of them, the identity."""
    return nn.Sequential(
        *(
            BasicBlock(
                out_channels if index else in_channels, out_channels, 1 if index else stride
            )
            for index in range(blocks)
        )
    )
