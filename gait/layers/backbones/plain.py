"""The plain convolutional backbone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn

from gait.errors import ConfigError
from gait.layers.focal import FocalConv2d


class Plain(nn.Sequential):
    """Convolutions without bias, each with LeakyReLU, and max pooling, frame by frame.

    Maps [m, in_channels, h, w] become [m, out_channels, h', w'], halved by each pooling.

    Args:
        layers: 'BC-<channels>' for a convolution, 'FC-<channels>-<halving>' for a focal one, which
            cuts its maps into 2^halving strips, 'M' for 2x2 max pooling.
        in_channels: channels of a frame, 1 for silhouettes.
        first_kernel: size of the first convolution's kernel; those of the others are 3.

    Raises:
        ConfigError: a layer that is neither, or a pooling before any convolution.

    Source: Chao et al., GaitSet, AAAI 2019, arXiv 1811.06186, section 4.1; Fan et al., GaitPart,
    CVPR 2020 (focal convolutions).
    """

    def __init__(self, layers: Sequence[str], in_channels: int = 1, first_kernel: int = 5) -> None:
        modules: list[nn.Module] = []
        width = in_channels
        for layer in layers:
            token = re.fullmatch(r"BC-(\d+)|FC-(\d+)-(\d+)|M", layer)
            if token is None or (layer == "M" and not modules):
                raise ConfigError(
                    "model.backbone.layers: expected 'BC-<channels>', 'FC-<channels>-<halving>', "
                    f"or 'M' after one of them, got {layer!r} in {list(layers)}"
                )
            if layer == "M":
                # Before the activation: it is increasing, so the result is the same, and it then
                # works on a quarter of the values.
                modules.insert(-1, nn.MaxPool2d(2))
                continue
            kernel = 3 if modules else first_kernel
            out_channels, halving = int(token[1] or token[2]), int(token[3] or 0)
            modules.append(FocalConv2d(width, out_channels, halving, kernel))
            modules.append(nn.LeakyReLU(inplace=True))
            width = out_channels
        super().__init__(*modules)
        self.out_channels = width
