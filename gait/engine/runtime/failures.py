"""What a failure of a run means, and what to change: a table of predicates and sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributed as dist

from gait.errors import GaitError

_PEER_LOST = (
    "closed by peer",
    "closed by remote peer",
    "reset by peer",
    "broken pipe",
    "timed out waiting",
    # Of NCCL; whatever else it reports is this process's own failure.
    "remote process exited",
    "ncclremoteerror",
    "communicator was aborted",
)


class _Known(NamedTuple):
    """A failure that is foreseen."""

    is_it: Callable[[BaseException], bool]
    sentence: Callable[[BaseException], str]


def user_message(error: BaseException) -> str | None:
    """Explain a failure and what to change; None where it is in no row of the table."""
    return next((known.sentence(error) for known in _KNOWN if known.is_it(error)), None)


def is_lost_peer(error: BaseException) -> bool:
    """Tell whether `error` only says that another process has gone."""
    if not isinstance(error, (RuntimeError, dist.DistError)):
        return False
    if isinstance(error, (GaitError, torch.OutOfMemoryError)):
        return False
    text = str(error).lower()
    return any(sign in text for sign in _PEER_LOST)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)


def _is_killed_loader(error: BaseException) -> bool:
    return "DataLoader worker" in str(error) and "killed by signal" in str(error)


def _is_nccl(error: BaseException) -> bool:
    is_named = "nccl" in str(error).lower()
    return is_named and isinstance(error, RuntimeError) and not is_lost_peer(error)


def _nccl_lines(error: BaseException) -> str:
    """What NCCL says, without the place in torch's source."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    said = [each for each in lines if "last error" not in each.lower() and ".cpp:" not in each]
    return "; ".join((said or lines)[:2])


# The first that fits counts.
_KNOWN = (
    _Known(lambda error: isinstance(error, GaitError), str),
    _Known(
        lambda error: isinstance(error, torch.OutOfMemoryError),
        lambda error: (
            f"the GPU's memory does not suffice ({first_line(error)}); lower frames.count or "
            "sampler, set precision: bf16 or use more processes; when embedding, lower "
            "embedding.frames_per_batch"
        ),
    ),
    _Known(
        _is_memory,
        lambda error: (
            f"the memory does not suffice ({first_line(error)}); give the job more (mem_mb in "
            "config/config.yaml), lower frames.count or sampler, or when embedding "
            "embedding.frames_per_batch"
        ),
    ),
    _Known(
        _is_killed_loader,
        lambda error: (
            f"a process that loads data was killed ({first_line(error)}), mostly for lack of "
            "memory; give the job more (mem_mb in config/config.yaml) or fewer loader_workers"
        ),
    ),
    _Known(
        _is_nccl,
        lambda error: (
            f"NCCL, by which the processes talk, has failed ({_nccl_lines(error)}); look at the "
            "GPUs with nvidia-smi, or run again with NCCL_DEBUG=WARN for its own account"
        ),
    ),
    _Known(
        is_lost_peer,
        lambda _: "another process of this run has ended, and so does this one; see its message",
    ),
)
