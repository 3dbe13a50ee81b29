"""What processes need so that none outlives the one it works for."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import threading

# Set by the workflow on one machine: the process that jobs must not outlive.
WORKFLOW = "GAIT_WORKFLOW_PID"


def follow_parent() -> None:
    """Make a worker process, spawned or from a fork server, end when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def follow_workflow() -> None:
    """Make a job of the workflow end, as on SIGTERM, when Snakemake itself was killed.

    Otherwise the same command, started again, would meet the job of its predecessor at work on the
    same files. Without the variable `WORKFLOW` nothing is followed.
    """
    given = os.environ.get(WORKFLOW, "")
    # The ranks of a launcher end with it.
    if not given.isdecimal() or "LOCAL_RANK" in os.environ:
        return
    try:
        handle = os.pidfd_open(int(given))
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGTERM)
        return
    except OSError:
        # No such handles on this system: jobs then end when their work does.
        return

    def watch() -> None:
        select.select([handle], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
