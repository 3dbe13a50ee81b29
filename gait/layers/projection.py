"""A 1x1 convolution as the matrix product it is."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Projection(nn.Conv2d):
    """A 1x1 convolution, with the parameters and names of `torch.nn.Conv2d`.

    On a CPU, oneDNN's gradient of strided 1x1 convolutions writes beyond its memory when layers
    are narrow (torch 2.13: 8 channels, two threads); a product over channels does not.

    Args:
        in_channels: channels c of the maps.
        out_channels: channels of the result.
        stride: step between the pixels that are kept, in both directions or for each.
        bias: add a learnt number to each channel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int | tuple[int, int] = 1,
        *,
        bias: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, 1, stride, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [m, out_channels, h / stride, w / stride] of maps [m, in_channels, h, w]."""
        rows, columns = self.stride
        pixels = maps[:, :, ::rows, ::columns].permute(0, 2, 3, 1)
        return F.linear(pixels, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
