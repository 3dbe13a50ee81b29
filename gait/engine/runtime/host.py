"""Results on their way from the device to the host."""

from __future__ import annotations

import torch
from torch import Tensor


class AsyncHostCopy:
    """A tensor being copied to the host, without making the device wait for its reader."""

    def __init__(self, tensor: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._host = tensor
        if tensor.is_cuda:
            self._host = torch.empty_like(tensor, device="cpu", pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def wait(self) -> Tensor:
        """The tensor on the host, as soon as it has arrived."""
        if self._event is not None:
            self._event.synchronize()
        return self._host
