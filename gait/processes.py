"""What processes need so that none outlives the one it works for."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import sys
import threading

# Set by the workflow on one machine: the process that jobs must not outlive.
WORKFLOW = "GAIT_WORKFLOW_PID"
# Set by our launcher for the processes that it starts.
LAUNCHER = "GAIT_LAUNCHER_PID"

_PR_SET_PDEATHSIG = 1


def follow_parent() -> None:
    """Make a worker process, spawned or from a fork server, end when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def end_workers() -> None:
    """Kill the processes that this one started for its work, also those that hang."""
    for each in multiprocessing.active_children():
        each.kill()


def follow_launcher() -> None:
    """Have Linux end this rank when its launcher goes, however and whenever that happens.

    To be called before anything is imported that takes long: a rank whose launcher was killed
    meanwhile would wait for others that never come.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    launcher = os.environ.get(LAUNCHER, "")
    expected = int(launcher) if launcher.isdecimal() else parent
    if os.getppid() != expected:
        os.kill(os.getpid(), signal.SIGKILL)


def follow_workflow() -> None:
    """Make a job of the workflow end, as on SIGTERM, when Snakemake itself was killed.

    Otherwise the same command, started again, would meet the job of its predecessor at work on the
    same files. Without the variable `WORKFLOW` nothing is followed; a rank follows its launcher.
    """
    given = os.environ.get(WORKFLOW, "")
    if "LOCAL_RANK" in os.environ:
        # Other launchers set it as well, for processes that need not end with their parent.
        if LAUNCHER in os.environ:
            follow_launcher()
        return
    if not given.isdecimal():
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
