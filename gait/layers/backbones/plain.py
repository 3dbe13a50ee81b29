"""The plain convolutional backbone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from gait.errors import ConfigError


class Plain(nn.Sequential):
    """Convolutions without bias, each with LeakyReLU, and max pooling, frame by frame.

    Maps [m, in_channels, h, w] become [m, out_channels, h', w'], halved by each pooling.

    Args:
        layers: 'BC-<channels>' for a convolution, 'M' for 2x2 max pooling.
        in_channels: channels of a frame, 1 for silhouettes.
        first_kernel: size of the first convolution's kernel; those of the others are 3.

    Raises:
        ConfigError: a layer that is neither, or a pooling before any convolution.

    Source: Chao et al., GaitSet, AAAI 2019, arXiv 1811.06186, section 4.1.
    """

    def __init__(self, layers: Sequence[str], in_channels: int = 1, first_kernel: int = 5) -> None:
        modules: list[nn.Module] = []
        width = in_channels
        for layer in layers:
            token = re.fullmatch(r"BC-(\d+)|M", layer)
            if token is None or (layer == "M" and not modules):
                raise ConfigError(
                    f"model.backbone.layers: expected 'BC-<channels>', or 'M' after one, got "
                    f"{layer!r} in {list(layers)}"
                )
            if layer == "M":
                # Before the activation: it is increasing, so the result is the same, and it then
                # works on a quarter of the values.
                modules.insert(-1, nn.MaxPool2d(2))
                continue
            kernel = 3 if modules else first_kernel
            out_channels = int(token[1])
            modules.append(nn.Conv2d(width, out_channels, kernel, padding=kernel // 2, bias=False))
            modules.append(nn.LeakyReLU(inplace=True))
            width = out_channels
        super().__init__(*modules)
        self.out_channels = width
