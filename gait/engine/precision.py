"""What a model computes in: the precision that is asked for, or single where that costs more."""

from __future__ import annotations

from typing import Any

import torch

from gait.config.experiment import Precision

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# What a processor needs to compute in them; without, it converts every value forth and back.
_CPU_UNITS = {"bf16": ("amx_bf16", "avx512_bf16"), "fp16": ("amx_fp16", "avx512_fp16")}
# The first GPUs that have units for them, by CUDA's compute capability.
_CUDA_SINCE = {"bf16": (8, 0), "fp16": (7, 0)}


def paying(precision: Precision, device: torch.device) -> Precision:
    """The precision to compute in on a device: that of the experiment, or fp32 where it is slower.

    On a processor without units for it, half precision takes about ten times as long and is less
    exact.
    """
    return precision if precision == "fp32" or _pays(precision, device) else "fp32"


def _pays(precision: Precision, device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _CUDA_SINCE[precision]
    units = torch.cpu.get_capabilities()
    return any(units.get(each, False) for each in _CPU_UNITS[precision])


def replaced(precision: Precision, device: torch.device) -> list[str]:
    """A sentence where a device computes in another precision than the experiment asks for."""
    if paying(precision, device) == precision:
        return []
    what = "processor" if device.type == "cpu" else "GPU"
    return [f"precision {precision}: this {what} has no units for it and computes in fp32"]


def autocast(precision: Precision, device: torch.device) -> Any:
    """The context in which a model computes in a precision that `paying` has told."""
    dtype = _DTYPES.get(precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
