"""Keeps what needs it in single precision, whatever the model computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(values: Tensor) -> AbstractContextManager[object]:
    """Disable autocast on the device of `values`; no effect on a device without any."""
    kind = values.device.type
    if not torch.amp.is_autocast_available(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)
