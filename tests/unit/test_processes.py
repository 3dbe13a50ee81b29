"""Jobs end with the workflow that they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from gait.processes import WORKFLOW

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


@pytest.mark.parametrize("variables", [{}, {WORKFLOW: ""}, {WORKFLOW: "none"}])
def test_without_a_workflow_nothing_is_followed(variables: dict[str, str]) -> None:
    with start(**variables) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "at work\n"
        assert job.poll() is None
        job.kill()
