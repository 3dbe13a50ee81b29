"""A tiny population in a packed store, experiments on it, and runs of them under torchrun."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gait.config.resolved import Resolved
from gait.config.yaml import write_yaml
from tests.unit.packed import seal_packed

SUBJECTS = [f"{number:03d}" for number in range(1, 9)]
CONDITIONS = ["bg-01", "nm-01", "nm-02"]
VIEWS = ["000", "090"]
SIZE_PX = 32

MODELS: dict[str, dict[str, Any]] = {
    "GaitSet": {
        "name": "GaitSet",
        "channels": [8, 16, 16],
        "embedding_channels": 16,
        "bins": [2, 1],
    },
    "GaitBase": {
        "name": "GaitBase",
        "backbone": {
            "name": "resnet9",
            "channels": [8, 16, 16, 16],
            "blocks": [1, 1, 1, 1],
            "strides": [1, 2, 2, 1],
        },
        "embedding_channels": 16,
        "bins": [4],
    },
    "GEI": {"name": "GEI"},
}
MODELS["ScoNet"] = MODELS["GaitBase"] | {"name": "ScoNet"}


def write_store(packed: Path) -> None:
    """Clouds that differ between subjects and move from frame to frame, 5 to 8 frames each."""
    rng = np.random.default_rng(0)
    frames, rows = [], ["subject,condition,view,start,frames,sha256"]
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    start = 0
    for number, subject in enumerate(SUBJECTS):
        for condition in CONDITIONS:
            for view in VIEWS:
                count = int(rng.integers(5, 9))
                phases = rng.uniform(0, 2 * np.pi) + np.arange(count)
                middle = SIZE_PX / 2 + 3 * np.sin(phases)[:, None, None]
                width = 3 + number / 2 + rng.uniform(-0.3, 0.3)
                shape = ((x - middle) / width) ** 2 + ((y - 16) / (10 + number % 3)) ** 2
                # Grey and uneven: among equal pixels, rounding would choose the largest.
                pixels = rng.uniform(0, 200, shape.shape) * np.exp(-shape) + 50 * (shape < 1)
                pixels = pixels.astype(np.uint8)
                digest = hashlib.sha256(pixels.tobytes()).hexdigest()
                rows.append(f"{subject},{condition},{view},{start},{count},{digest}")
                frames.append(pixels)
                start += count
    packed.mkdir(parents=True, exist_ok=True)
    np.save(packed / "frames.npy", np.concatenate(frames))
    (packed / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    seal_packed(packed)


def resolved(model: str = "GaitSet", **changes: Any) -> Resolved:
    """An experiment of seconds; `changes` replace entries of the experiment."""
    losses: dict[str, Any] = {"triplet": {"name": "Triplet", "margin": 0.2}}
    if model == "GaitBase":
        losses["softmax"] = {"name": "CrossEntropy", "scale": 16, "label_smoothing": 0.1}
    experiment: dict[str, Any] = {
        "seed": 1,
        "iterations": 4,
        "model": MODELS[model],
        "losses": losses,
        "optimizer": {"name": "SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
        "scheduler": {"name": "MultiStepLR", "milestones": [3], "gamma": 0.1},
        "sampler": {"name": "TripletSampler", "subjects": 3, "sequences": 3},
        "frames": {"number": "fixed", "order": "unordered", "count": 4},
        "transforms": [{"name": "RandomHorizontalFlip", "probability": 0.5}],
        "precision": "fp32",
        "batch_norm": "synchronised",
        "logging": {"log_every": 1, "checkpoint_every": 100, "keep_checkpoints": 2},
        "embedding": {"transforms": [], "frames_per_batch": 40},
        "evaluation": {"bootstrap": 0},
    }
    dataset = {
        "name": "Tiny",
        "title": "moving ellipses",
        "licence": "Apache-2.0",
        "obtain": "drawn by the tests",
        "layouts": ["casia_b_videos"],
        "partition": {"train": ["001-005"], "test": ["006-008"]},
        "protocols": {
            "all": {
                "title": "everything",
                "gallery": {"condition": ["nm-01"]},
                "probes": {"NM": {"condition": ["nm-02"]}, "BG": {"condition": ["bg-01"]}},
                "cells": "pooled",
                "exclude": "none",
            }
        },
    }
    return Resolved.model_validate(
        {
            "dataset": dataset,
            "model": model,
            "save_name": "test",
            "experiment": {**experiment, **changes},
        }
    )


# In the environment of every process of a run: the store that it is on.
_MARK = "GAIT_TEST_STORE"

# What a process runs: the same functions as the command line, one after the other.
_WORK = """
import json
import sys
from pathlib import Path
from gait.config.load import read_resolved
from gait.engine.runtime.distributed import run_with_error_report, session
from gait.engine.embed import embed
from gait.engine.trainer import train

packed, workers, jobs = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])

def work():
    with session():
        for what, folder in jobs:
            root = Path(folder)
            resolved, model = read_resolved(root / "config.yaml"), root / "model.pt"
            if what == "train":
                train(resolved, packed, root, model, workers=workers)
            else:
                embed(resolved, packed, model, root / "embeddings.npz", workers=workers)

# Processes that load data import this file too.
if __name__ == "__main__":
    run_with_error_report(work)
"""


def write_config(experiment: Resolved, root: Path) -> None:
    """Put an experiment's resolved configuration where `start` looks for it."""
    root.mkdir(parents=True, exist_ok=True)
    text = write_yaml(experiment.model_dump(mode="json"))
    (root / "config.yaml").write_text(text, encoding="utf-8")


def start(
    jobs: list[tuple[str, Path]],
    packed: Path,
    processes: int,
    workers: int = 0,
    launcher: str = "torch.distributed.run",
    before: str = "",
) -> subprocess.Popen[str]:
    """Start jobs, each 'train' or 'embed' and the folder of its experiment, under a launcher.

    Args:
        before: what each process does first.
    """
    script = packed.parent / "work.py"
    script.write_text(before + _WORK, encoding="utf-8")
    listed = json.dumps([(what, str(root)) for what, root in jobs])
    command = [sys.executable, "-m", launcher, "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment[_MARK] = str(packed)
    return subprocess.Popen(
        [*command, str(script), str(packed), str(workers), listed],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], seconds: float = 180) -> tuple[int, str]:
    """Wait for a launcher; its exit code and what was printed."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # Its processes are made to die with it.
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"the run did not end within {seconds} s:\n{output}") from None
    return process.returncode, output


def run(jobs: list[tuple[str, Path]], packed: Path, processes: int, workers: int = 0) -> str:
    """Do jobs to their end and return what was printed."""
    code, output = finish(start(jobs, packed, processes, workers))
    assert code == 0, output
    return output


def processes_of(packed: Path) -> list[int]:
    """The living processes of runs on a store, launchers and loaders included, by id."""
    mark = f"{_MARK}={packed}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark in environment and state != "Z":
                found.append(int(folder.name))
    return found


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)
