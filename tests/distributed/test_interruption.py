"""Whatever ends a run, the same command goes on, and nothing is left behind."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gait.engine.history import read_history
from gait.engine.runtime.distributed import PREEMPTED
from tests.engine_fixtures import (
    finish,
    processes_of,
    resolved,
    run,
    start,
    wait_until,
    write_config,
    write_store,
)

STEPS = 40
LAUNCHER = "gait.engine.runtime.launch"
EXPERIMENT = resolved(
    "GaitBase", iterations=STEPS, logging={"log_every": 1, "checkpoint_every": 5}
)
TIMINGS = {"step_s", "data_wait_share", "sequences_per_s"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed")
    write_store(root / "packed")
    write_config(EXPERIMENT, root / "run")
    run([("train", root / "run")], root / "packed", 2)
    return root / "run"


@pytest.fixture
def begun(undisturbed: Path, tmp_path: Path) -> tuple[subprocess.Popen[str], Path, Path]:
    """A run of two processes with a loader each, somewhere after its first checkpoint."""
    packed, folder = tmp_path / "packed", tmp_path / "run"
    write_store(packed)
    write_config(EXPERIMENT, folder)
    process = start([("train", folder)], packed, 2, workers=1, launcher=LAUNCHER)
    step = random.randrange(6, STEPS // 2)
    wait_until(
        lambda: _steps(folder) >= step or process.poll() is not None, 120, f"iteration {step}"
    )
    assert process.poll() is None, finish(process)
    # The launcher; two ranks, each with a loader and the two processes that look after it.
    assert len(processes_of(packed)) == 9
    return process, packed, folder


def _steps(folder: Path) -> int:
    history = folder / "history.jsonl"
    return len(read_history(history)) if history.exists() else 0


def _curve(folder: Path) -> list[dict[str, Any]]:
    lines = read_history(folder / "history.jsonl")
    return [{key: line[key] for key in line.keys() - TIMINGS} for line in lines]


def _assert_resumes(packed: Path, folder: Path, undisturbed: Path) -> None:
    assert not (folder / "model.pt").exists()
    printed = run([("train", folder)], packed, 2)
    assert "going on after iteration" in printed
    assert (folder / "model.pt").read_bytes() == (undisturbed / "model.pt").read_bytes()
    assert _curve(folder) == _curve(undisturbed)


@pytest.mark.slow
def test_killing_every_process(
    begun: tuple[subprocess.Popen[str], Path, Path], undisturbed: Path
) -> None:
    process, packed, folder = begun
    for each in processes_of(packed):
        os.kill(each, signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    wait_until(lambda: not processes_of(packed), 15, "the processes to go")
    _assert_resumes(packed, folder, undisturbed)


def test_killing_the_launcher_leaves_no_process_behind(
    begun: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    process, packed, folder = begun
    process.kill()
    wait_until(lambda: not processes_of(packed), 15, "the processes to go")
    process.communicate()
    assert not (folder / "model.pt").exists()


def test_a_killed_rank_ends_the_others_with_a_sentence(
    begun: tuple[subprocess.Popen[str], Path, Path],
) -> None:
    process, packed, _ = begun
    ranks = [each for each in processes_of(packed) if _parent(each) == process.pid]
    os.kill(ranks[0], signal.SIGKILL)
    code, printed = finish(process, 60)
    assert code == 1
    last = printed.strip().splitlines()[-1]
    assert last.startswith("gait: error: process ") and "was killed (signal 9)" in last
    wait_until(lambda: not processes_of(packed), 15, "the processes to go")


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
    ],
    ids=lambda each: each.name,
)
def test_a_run_that_is_told_to_stop(
    number: signal.Signals,
    begun: tuple[subprocess.Popen[str], Path, Path],
    undisturbed: Path,
) -> None:
    process, packed, folder = begun
    # As a scheduler does it: every process of the job is told, some of them twice.
    for each in processes_of(packed):
        os.kill(each, number)
    code, printed = finish(process)
    assert code == PREEMPTED, printed
    # Where a checkpoint of that very iteration is there already, it is the one that is kept.
    kept = r"saved after iteration [1-9]\d*|the checkpoint of iteration [1-9]\d* is kept"
    assert re.search(f"told to stop: (?:{kept})", printed), printed
    wait_until(lambda: not processes_of(packed), 15, "the processes to go")
    if number in (signal.SIGTERM, signal.SIGINT):
        _assert_resumes(packed, folder, undisturbed)


def test_the_first_failing_rank_has_the_last_word(tmp_path: Path) -> None:
    packed, folder = tmp_path / "packed", tmp_path / "run"
    write_store(packed)
    write_config(resolved(sampler={"name": "CommonSampler", "batch": 1}), folder)
    process = start([("train", folder)], packed, 2, launcher=LAUNCHER)
    code, printed = finish(process)
    last = printed.strip().splitlines()[-1]
    assert code == 1
    assert last.startswith("gait: error: the sampler draws 1 sequences for 2 processes")
    assert "Traceback" not in printed


FAILING = """
import os
import torch
from gait.engine.loop import Loop

step = Loop._train

def failing(loop, *arguments):
    if os.environ["RANK"] == "1" and loop._iteration == 2:
        raise {error}
    step(loop, *arguments)

Loop._train = failing
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            "torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB; of NCCL')",
            "the GPU's memory does not suffice (CUDA out of memory. Tried to allocate 2 GiB",
            marks=pytest.mark.slow,
        ),
        (
            "torch.distributed.DistBackendError('NCCL error in: a.cpp:77, unhandled cuda error, "
            "NCCL version 2.27\\nncclUnhandledCudaError: Call to CUDA function failed.\\n"
            "Last error:\\nCuda failure 2 out of memory')",
            "NCCL, by which the processes talk, has failed (ncclUnhandledCudaError: Call to CUDA "
            "function failed.; Cuda failure 2 out of memory)",
        ),
    ],
    ids=["memory", "nccl"],
)
def test_the_own_error_of_the_first_failing_rank_is_reported(
    error: str, said: str, tmp_path: Path
) -> None:
    packed, folder = tmp_path / "packed", tmp_path / "run"
    write_store(packed)
    write_config(EXPERIMENT, folder)
    before = FAILING.format(error=error)
    process = start([("train", folder)], packed, 2, launcher=LAUNCHER, before=before)
    code, printed = finish(process, 60)
    last = printed.strip().splitlines()[-1]
    assert code == 1 and last.startswith(f"gait: error: {said}"), printed
    assert "another process" not in printed


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_says_so_and_leaves(
    begun: tuple[subprocess.Popen[str], Path, Path], undisturbed: Path
) -> None:
    process, packed, folder = begun
    process.send_signal(signal.SIGSTOP)
    for each in processes_of(packed):
        os.kill(each, signal.SIGSTOP)
    # Another store's mark, so that the two runs can be told apart.
    other = packed.parent / "other" / "packed"
    write_store(other)
    code, printed = finish(start([("train", folder)], other, 2, launcher=LAUNCHER), 60)
    assert code == 1
    last = printed.strip().splitlines()[-1]
    assert last.startswith(f"gait: error: {folder}: another `gait train` is at work")
    for each in [*processes_of(packed), process.pid]:
        os.kill(each, signal.SIGCONT)
    code, printed = finish(process)
    assert code == 0, printed
    assert (folder / "model.pt").read_bytes() == (undisturbed / "model.pt").read_bytes()
    named = {"config.yaml", "checkpoints", "history.jsonl", "summary", "model.pt"}
    assert {each.name for each in folder.iterdir()} == named


@pytest.mark.parametrize("code", [0, 1, PREEMPTED])
def test_threads_that_outlive_the_work_do_not_change_the_exit_code(code: int) -> None:
    # What such a thread does to an interpreter that is taken down, made certain.
    script = f"""
import atexit, os, sys
from gait.engine.runtime.distributed import run_with_error_report
atexit.register(os.abort)
print("done")
run_with_error_report(lambda: sys.exit({code}))
"""
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "WORLD_SIZE": "2"},
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stdout) == (code, "done\n"), process.stderr


def _parent(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])
