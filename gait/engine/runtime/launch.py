"""`python -m gait.engine.runtime.launch`: torchrun, with the cause of a failure as its last words.

Takes torchrun's arguments. What differs: SIGUSR1 is passed on as SIGTERM and SIGINT are; the exit
code is `distributed.PREEMPTED` when the processes were told to stop; and the traceback of the
launcher gives way to the sentence of the first process that failed.
"""

from __future__ import annotations

import os
import signal
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from gait.engine.runtime.distributed import PREEMPTED
from gait.processes import LAUNCHER, follow_workflow

_SIGNALS = "--signals-to-handle"


def main(arguments: list[str]) -> int:
    """Run processes as torchrun does.

    Returns:
        The exit code: 0, `distributed.PREEMPTED`, or 1 with a sentence on standard error.
    """
    follow_workflow()
    os.environ[LAUNCHER] = str(os.getpid())
    # Releases of torch before 2.8 do not know the option, and leave SIGUSR1 alone.
    if _SIGNALS in run.get_args_parser().format_help():
        arguments = [f"{_SIGNALS}=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1", *arguments]
    try:
        run.run(run.parse_args(arguments))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        rank, failure = min(error.failures.items(), key=_order)
        if failure.exitcode == PREEMPTED:
            return PREEMPTED
        print(f"gait: error: {_cause(rank, failure)}", file=sys.stderr, flush=True)
        return 1
    except SignalException:
        return PREEMPTED
    return 0


def _order(failed: tuple[int, ProcessFailure]) -> tuple[int, bool]:
    """Sort key: failures by time, known to the second; one that only obeyed SIGTERM comes last."""
    _, failure = failed
    return failure.timestamp, failure.exitcode == -signal.SIGTERM


def _cause(rank: int, failure: ProcessFailure) -> str:
    if isinstance(failure.message, dict):
        return str(failure.message.get("message", failure.message))
    if failure.exitcode == -signal.SIGKILL:
        return (
            f"process {rank} was killed (signal 9), mostly because the machine's or the job's "
            "memory did not suffice; give the job more (mem_mb in config/config.yaml), then run "
            "again: training goes on from its newest checkpoint, where it has one"
        )
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        return (
            f"process {rank} was ended by {name}; run again: training goes on from its newest "
            "checkpoint, where it has one"
        )
    return f"process {rank} ended with the exit code {failure.exitcode}; its output is above"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
