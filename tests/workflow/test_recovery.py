"""Training that is killed, and resumed by the same command."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.workflow.conftest import TABLE
from tests.workflow.workspace import EXPERIMENT, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

RESULT = "results/SynthGait/GaitSet/tiny"
# Slow enough steps to be hit in the middle.
LONG = {
    "iterations": 30,
    "frames": {"number": "fixed", "order": "unordered", "count": 20},
    "sampler": {"name": "TripletSampler", "subjects": 3, "sequences": 8},
    "model": EXPERIMENT["model"] | {"channels": [8, 16, 16]},
    "logging": {"log_every": 1, "checkpoint_every": 5},
}


def descendants(pid: int) -> list[int]:
    """A process's children and theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text(encoding="utf-8").split():
            found += [int(child), *descendants(int(child))]
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def steps(workspace: Workspace) -> int:
    history = workspace.root / RESULT / "history.jsonl"
    if not history.is_file():
        return 0
    lines = history.read_text(encoding="utf-8").splitlines()
    return max((json.loads(line).get("iteration", 0) for line in lines if line), default=0)


def test_kill_9_then_the_same_command(finished: Workspace) -> None:
    resources = finished.read("config/config.yaml")["resources"]
    resources["train"] |= {"threads": 2, "processes": 2}
    finished.edit("config/config.yaml", resources=resources)
    finished.experiment("SynthGait/GaitSet/tiny", **LONG)
    shutil.rmtree(finished.root / "results")
    finished.made(TABLE)
    model, table = finished.bytes_of(f"{RESULT}/model.pt"), finished.bytes_of(TABLE)
    shutil.rmtree(finished.root / "results")

    process = subprocess.Popen(
        finished.command(TABLE),
        cwd=finished.root,
        env=finished.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    target = random.Random(os.getpid()).randint(3, 25)
    deadline = time.monotonic() + 120
    while steps(finished) < target:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    family = descendants(process.pid)
    launchers = [
        pid
        for pid in family
        if "gait.engine.runtime.launch" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
        and "bash" not in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    ]
    assert launchers
    # The launcher alone: whatever it started has to go with it.
    for pid in launchers:
        os.kill(pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0, output
    deadline = time.monotonic() + 20
    while survivors := [pid for pid in family if alive(pid)]:
        assert time.monotonic() < deadline, f"left behind: {survivors}"
        time.sleep(0.1)

    finished.made(TABLE)
    assert finished.bytes_of(f"{RESULT}/model.pt") == model
    assert finished.bytes_of(TABLE) == table
