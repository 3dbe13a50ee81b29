"""Keeps two runs out of one result folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gait.engine.runtime.distributed import World
from gait.errors import DataError, TrainingError


@contextmanager
def alone_in(folder: Path, world: World) -> Iterator[None]:
    """Hold a result folder for as long as the block lasts; to be called in each process.

    The first process locks the folder itself, so no file is left behind, and the lock goes with
    the process however that ends. A file system that cannot lock folders, such as NFS, is taken
    as it is: there, Snakemake's own lock has to do.

    Raises:
        TrainingError: another run holds it.
        DataError: the folder cannot be made.
    """
    busy, held = False, None
    if world.is_first:
        held, busy = _lock(folder)
    try:
        if world.any(busy):
            raise TrainingError(
                f"{folder}: another `gait train` is at work in this folder; wait until it has "
                "ended, or end it, then run again"
            )
        yield
    finally:
        if held is not None:
            os.close(held)


def _lock(folder: Path) -> tuple[int, bool]:
    """The open folder, and whether somebody else has locked it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made or opened ({error.strerror})") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return held, True
    except OSError:
        # The file system has no such locks.
        return held, False
    return held, False
