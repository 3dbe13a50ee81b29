"""Initial values of a model's weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def initialise(model: nn.Module, *, channels_last: bool = True) -> None:
    """Give a model the initial values that published gait models start from.

    Convolutions and linear layers Xavier-uniform with bias 0, batch normalisation N(1, 0.02) with
    bias 0; part-wise layers initialise themselves likewise. Weights of 2-D convolutions are laid
    out channels-last, and thereby the maps that pass through them: on a CPU, plain convolutions
    then take two thirds of the time and residual ones no longer.

    Args:
        channels_last: otherwise, the pixels of a channel stay in a row, for models that go on to
            weigh pixels.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, _BatchNorm) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
        if channels_last and isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last)
