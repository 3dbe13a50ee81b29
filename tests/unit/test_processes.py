"""Jobs end with the workflow that they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from gait.processes import LAUNCHER, WORKFLOW

JOB = """
import time
from gait.processes import follow_workflow
follow_workflow()
print("at work", flush=True)
time.sleep(60)
"""


def start(**variables: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != WORKFLOW}
    return subprocess.Popen(
        [sys.executable, "-c", JOB],
        env=environment | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def workflow() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_job_ends_when_its_workflow_is_killed(workflow: subprocess.Popen[bytes]) -> None:
    with start(**{WORKFLOW: str(workflow.pid)}) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "at work\n"
        workflow.kill()
        assert job.wait(10) == -signal.SIGTERM
    workflow.wait()


def test_a_job_of_a_workflow_that_is_gone_does_not_begin(
    workflow: subprocess.Popen[bytes],
) -> None:
    workflow.kill()
    workflow.wait()
    with start(**{WORKFLOW: str(workflow.pid)}) as job:
        assert job.wait(10) == -signal.SIGTERM


def test_a_rank_ends_with_its_launcher_and_does_not_begin_without(
    workflow: subprocess.Popen[bytes],
) -> None:
    # This process stands for the launcher.
    with start(LOCAL_RANK="0", **{LAUNCHER: str(os.getpid())}) as rank:
        assert rank.stdout is not None
        assert rank.stdout.readline() == "at work\n"
        rank.kill()
    # One that was killed before the rank looked for it, whose parent is another process then.
    workflow.kill()
    workflow.wait()
    with start(LOCAL_RANK="0", **{LAUNCHER: str(workflow.pid)}) as rank:
        assert rank.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_rank_ends_when_its_launcher_is_killed(number: signal.Signals) -> None:
    code = f"""
import os, subprocess, sys
environment = os.environ | {{"LOCAL_RANK": "0", {LAUNCHER!r}: str(os.getpid())}}
with subprocess.Popen([sys.executable, "-c", {JOB!r}], env=environment, stdout=1) as rank:
    pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "at work\n"
        launcher.send_signal(number)
        began = time.monotonic()
        # The rank holds the other end of the pipe until it ends, by itself after a minute.
        assert launcher.stdout.read() == ""
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("variables", [{}, {WORKFLOW: ""}, {WORKFLOW: "none"}])
def test_without_a_workflow_nothing_is_followed(variables: dict[str, str]) -> None:
    with start(**variables) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "at work\n"
        assert job.poll() is None
        job.kill()
