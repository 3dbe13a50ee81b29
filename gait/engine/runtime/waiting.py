"""Waits for batches, though not for ever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from gait.data.loader import SHARED_MEMORY
from gait.errors import TrainingError
from gait.limits import WAIT_S
from gait.processes import end_workers

Item = TypeVar("Item")


def in_time(batches: Iterable[Item]) -> Iterator[Item]:
    """The batches of a loader, each of which has to come within `WAIT_S`.

    When a wait ends otherwise, the processes that load data are ended with it: one that hangs
    would keep this process from leaving.

    Raises:
        TrainingError: one did not come in time, or the loader's processes cannot be started.
    """
    try:
        iterator = iter(batches)
    except OSError as error:
        raise TrainingError(
            f"the processes that load data cannot be started ({error.strerror or error}); "
            f"{_shared_memory()}"
        ) from error
    while True:
        try:
            with _alarm(WAIT_S.value):
                item = next(iterator)
        except StopIteration:
            return
        except BaseException:
            end_workers()
            raise
        yield item


@contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Signals, and with them the alarm, belong to the main thread.
        yield
        return
    before = signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _too_late(signum: int, frame: FrameType | None) -> None:
    raise TrainingError(
        f"no batch has come for {WAIT_S.value} s: a process that loads data hangs, mostly on a "
        f"slow or lost disk or for lack of memory ({_shared_memory()}); give the job fewer "
        f"loader_workers in config/config.yaml, or set {WAIT_S.variable} to more seconds in the "
        "environment"
    )


def _shared_memory() -> str:
    """How large the memory is that processes share, and what is left of it."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError as error:
        return f"{SHARED_MEMORY}: {error.strerror}"
    size, free = (count * found.f_frsize / 2**20 for count in (found.f_blocks, found.f_bavail))
    return (
        f"{SHARED_MEMORY} has {free:,.0f} MB free of {size:,.0f} MB; a container gets more of it "
        "by --shm-size"
    )
