"""Tensors as files that are whole or absent, whatever ends the process that writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from gait.errors import CheckpointError
from gait.files import atomic_path


def save_torch(data: dict[str, Any], path: Path) -> None:
    """Write `data` as `torch.load(weights_only=True)` reads it; equal data give equal bytes.

    Raises:
        DataError: it cannot be written, for instance on a full disk; what was at `path` stays.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        try:
            # An open file: torch would write the name of a path into the bytes.
            torch.save(data, file)
        except RuntimeError as error:
            # torch reports a failed write as an error of its own.
            cause = error.__context__
            raise cause if isinstance(cause, OSError) else OSError(str(error)) from error
        file.flush()
        os.fsync(file.fileno())


def load_torch(path: Path) -> dict[str, Any]:
    """What `save_torch` wrote, on the CPU.

    Raises:
        CheckpointError: missing, torn, no mapping, or holding more than tensors and plain values.
    """
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected a weights file here, found none") from None
    # A damaged archive fails in any of torch's layers, each with its own kind of error.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path}: is damaged or no file of weights ({reason}); remove it"
        ) from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: expected a mapping of weights, got {type(data).__name__}")
    return data
