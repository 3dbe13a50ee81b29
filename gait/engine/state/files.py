"""Tensors as files that are whole or absent, whatever ends the process that writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from gait.errors import CheckpointError, DataError
from gait.files import atomic_path
from gait.formats.seal import check_zip_seal, seal_zip
from gait.formats.weights.read import refuse_other_files
from gait.formats.weights.torch_file import opened
from gait.screen import shown

REMEDY = "make it again, or take a copy of it"


def save_torch(data: dict[str, Any], path: Path) -> None:
    """Write `data` with its digest; `torch.load` reads it too. Equal data give equal bytes.

    Raises:
        DataError: it cannot be written, for instance on a full disk; what was at `path` stays.
    """
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            try:
                # An open file: torch would write the name of a path into the bytes.
                torch.save(data, file)
            except RuntimeError as error:
                # torch reports a failed write as an error of its own.
                cause = error.__context__
                raise cause if isinstance(cause, OSError) else OSError(str(error)) from error
        seal_zip(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())


def load_torch(path: Path, remedy: str = REMEDY) -> dict[str, Any]:
    """What `save_torch` wrote, on the CPU, once it has been compared with its digest.

    Args:
        remedy: how to make the file again, for messages.

    Raises:
        CheckpointError: missing, damaged, of a version that wrote no digest, no mapping, or
            holding more than tensors and plain values.
    """
    refuse_other_files(path)
    check_zip_seal(path, remedy, CheckpointError)
    try:
        # A digest that is right does not mean that we wrote it.
        with opened(path) as file:
            data = file.plain(file.content)
    except CheckpointError:
        raise
    except DataError as error:
        raise CheckpointError(str(error)) from None
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be used ({shown(error)}); {remedy}") from None
    if not isinstance(data, dict):
        raise CheckpointError(
            f"{path}: expected a mapping of weights, got {type(data).__name__}; {remedy}"
        )
    return data
