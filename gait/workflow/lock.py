"""Tells the locks of a Snakemake that was killed from those of one that runs.

Snakemake's own locks are plain files: after `kill -9` or a power cut they stay, and every later
command refuses to start. A lock of the operating system goes with its process, so whoever gets
one alone knows that whatever lies in `.snakemake/locks` is of the dead.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

# Held until the process ends.
_held: dict[Path, int] = {}


def take_over(folder: Path) -> int:
    """Hold the workflow in `folder` together with others that run, and drop locks of the dead.

    Args:
        folder: Snakemake's own folder, `.snakemake`; made when it is not there.

    Returns:
        How many locks were dropped. None are where another Snakemake runs in the same folder, or
        where the file system knows no locks.
    """
    path = folder / "running"
    try:
        folder.mkdir(exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError:
        # Snakemake says better than we could what is wrong with its folder.
        return 0
    _held[path] = handle
    dropped = 0
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for lock in sorted((folder / "locks").glob("*.lock")):
            with suppress(FileNotFoundError):
                lock.unlink()
                dropped += 1
    except OSError:
        # Somebody else runs here, or there are no such locks on this file system.
        pass
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH)
    return dropped
