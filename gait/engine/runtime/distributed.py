"""The processes of a run: how they start, agree, exchange rows and end together.

A run of one process takes the same path as a run of many; it merely has no process group.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from gait.engine.runtime.failures import first_line, is_lost_peer, user_message
from gait.errors import DataError, TrainingError, unforeseen
from gait.files import atomic_path
from gait.processes import end_workers, follow_launcher

# Exit code of a run that was told to stop and saved its state; the same command resumes it.
PREEMPTED = 75

# The longest that a process may wait for the others: a step, a checkpoint, an evaluation.
_TIMEOUT = timedelta(minutes=10)
_STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
Taken = TypeVar("Taken")
# Within this time torchrun has noticed a dead process and ends the others.
_PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class World:
    """The processes that share a run, seen from one of them.

    Attributes:
        rank: this process among all, from 0.
        size: number of processes.
        device: where this process computes.
        backend: how the processes talk, None for a single one.
    """

    rank: int
    size: int
    device: torch.device
    backend: str | None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def __str__(self) -> str:
        if self.backend is None:
            return f"1 process, {self.device.type}"
        return f"{self.size} processes, {self.backend}, {self.device.type}"

    def say(self, text: str) -> None:
        """Print a line, once for all processes."""
        if self.is_first:
            print(text, flush=True)

    def barrier(self) -> None:
        """Wait until every process is here."""
        self.sum(torch.zeros(1))

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process; the same answer in all of them."""
        return bool(self.sum(torch.tensor([float(flag)])).item())

    def sum(self, tensor: Tensor) -> Tensor:
        """`tensor` added up over all processes; not differentiable."""
        if self.size > 1 and tensor.numel():
            tensor = tensor.clone()
            dist.all_reduce(tensor)
        return tensor

    def counts(self, n: int) -> list[int]:
        """`n` of every process, by rank."""
        if self.size == 1:
            return [n]
        gathered = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(gathered, torch.tensor([n]))
        return [int(each) for each in gathered]

    def gather_rows(self, tensor: Tensor, counts: list[int]) -> Tensor:
        """The rows of all processes, those of rank 0 first.

        Args:
            tensor: this process's rows [n, ...].
            counts: number of rows of each process, from `counts`; they may differ.

        Returns:
            [sum of counts, ...]; a gradient flows into this process's own rows only.
        """
        if self.size == 1:
            return tensor
        longest = max(counts)
        own = tensor.detach().contiguous()
        if len(own) < longest:
            own = torch.cat([own, own.new_zeros(longest - len(own), *own.shape[1:])])
        gathered = [torch.empty_like(own) for _ in counts]
        dist.all_gather(gathered, own)
        return torch.cat(
            [
                tensor if rank == self.rank else gathered[rank][:count]
                for rank, count in enumerate(counts)
            ]
        )


class StopRequest:
    """Remembers a request to stop, so that a run can stop where its state is whole.

    SIGTERM and SIGUSR1 come from schedulers, SIGINT from Ctrl-C. A second Ctrl-C is that of
    somebody who will not wait; under torchrun, one press already sends two.
    """

    def __init__(self) -> None:
        self.received = False
        self._number = signal.SIGTERM
        self._waiting = False

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        again = self.received and self._number == signal.SIGINT == signum
        self.received = True
        self._number = signal.Signals(signum)
        if again and not under_torchrun():
            raise KeyboardInterrupt
        if self._waiting:
            self._waiting = False
            raise _StoppedWaiting

    def wait_for(self, take: Callable[[], Taken]) -> Taken | None:
        """What `take` gives, or None as soon as a stop is requested while it waits."""
        try:
            self._waiting = True
            if self.received:
                return None
            taken = take()
            # Here, and not in `finally` alone, where a signal would find nobody to catch it.
            self._waiting = False
            return taken
        except _StoppedWaiting:
            return None
        finally:
            self._waiting = False

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Take the signals for as long as the block lasts.

        Where the block ends because another process has gone, saving together is past: a signal
        that was received then does what it does elsewhere.
        """
        before = {each: signal.getsignal(each) for each in _STOPPING}
        for each in before:
            signal.signal(each, self._receive)
        lost = False
        try:
            yield self
        except Exception as error:
            lost = is_lost_peer(error)
            raise
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
            if lost and self.received:
                signal.raise_signal(self._number)


class _StoppedWaiting(BaseException):
    """Leads out of a wait for data; no error, and not to be caught as one."""


@contextmanager
def session() -> Iterator[World]:
    """Join the processes that torchrun's environment names, or be the only one.

    Inside another session, the same processes are given again.

    Raises:
        TrainingError: the environment is incomplete, or the processes do not find each other.
    """
    size = _integer("WORLD_SIZE", 1)
    local_rank = _integer("LOCAL_RANK", 0)
    use_cuda = torch.cuda.device_count() >= _integer("LOCAL_WORLD_SIZE", 1)
    device = torch.device("cuda", local_rank) if use_cuda else torch.device("cpu")
    inner = dist.is_initialized()
    if not inner:
        if under_torchrun():
            follow_launcher()
        if use_cuda:
            torch.cuda.set_device(device)
        if size > 1:
            _join(size, use_cuda)
    backend = ("nccl" if use_cuda else "gloo") if size > 1 else None
    world = World(dist.get_rank() if size > 1 else 0, size, device, backend)
    if not inner:
        world.say(str(world))
    try:
        yield world
    except SystemExit:
        _part(inner)
        raise
    # After any other exception the group stays: taking it down could wait for a dead peer.
    _part(inner)


def under_torchrun() -> bool:
    """Whether torchrun, or `gait.engine.runtime.launch`, has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _join(size: int, use_cuda: bool) -> None:
    # With CUDA, small host tensors still travel by gloo, which does not wait for the device.
    backend = "cpu:gloo,cuda:nccl" if use_cuda else "gloo"
    try:
        dist.init_process_group(backend, timeout=_TIMEOUT)
    except (ValueError, RuntimeError) as error:
        raise TrainingError(
            f"{size} processes were announced and did not find each other "
            f"({first_line(error)}); check MASTER_ADDR, MASTER_PORT and GLOO_SOCKET_IFNAME"
        ) from error


def _part(inner: bool) -> None:
    if dist.is_initialized() and not inner:
        dist.destroy_process_group()


def run_with_error_report(work: Callable[[], None]) -> None:
    """Do a process's work; where it fails, leave one sentence as the last thing on the screen.

    The sentence also goes where torchrun looks for the cause of a failure. A process that fails
    only because another one has gone holds its tongue until the launcher ends it, so that the
    first one's cause is what is reported.
    """
    code = 0
    try:
        work()
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    except KeyboardInterrupt:
        print("gait: interrupted", file=sys.stderr)
        code = 128 + signal.SIGINT
    # Whatever it is has to reach torchrun's report.
    except Exception as error:
        if is_lost_peer(error):
            time.sleep(_PATIENCE_S)
        sentence = user_message(error)
        if sentence is None:
            traceback.print_exc()
            sentence = unforeseen(error)
        _report(sentence)
        for line in sentence.splitlines():
            print(f"gait: error: {line}", file=sys.stderr)
        code = 1
    _leave(code)


def _leave(code: int) -> None:
    """Exit; after a failure and among several processes, bypass the interpreter's shutdown."""
    # The threads of a process group outlive it where DistributedDataParallel has been used. One
    # that lets go of a tensor while the interpreter takes itself down aborts the process, with all
    # work done: a finished run would be reported as failed. And somebody who has pressed Ctrl-C
    # would wait for seconds, until torch has taken itself down and the loaders' processes, deaf to
    # requests to stop, are given up.
    if code or _integer("WORLD_SIZE", 1) > 1:
        end_workers()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _report(message: str) -> None:
    """Leave `message` where torchrun reads the cause of a failure."""
    if path := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        extra = {"py_callstack": message, "timestamp": str(int(time.time()))}
        record = {"message": {"message": message, "extraInfo": extra}}
        # The launcher may end this process at any moment, and stumbles over half a file. Where
        # there is no room for one, the sentence on the screen has to do.
        with suppress(DataError), atomic_path(Path(path)) as temporary:
            temporary.write_text(json.dumps(record), encoding="utf-8")


def _integer(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    try:
        return int(value)
    except ValueError:
        raise TrainingError(
            f"the environment variable {name} is {value!r}, expected a number as torchrun sets it"
        ) from None
