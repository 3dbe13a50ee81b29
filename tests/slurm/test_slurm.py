"""The real workflow on a real SLURM: table, failure, retry, preemption, two nodes."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, missing
from tests.workflow.workspace import EXPERIMENT, Run, Workspace

pytestmark = pytest.mark.slurm

TABLE = "results/SynthGait/GaitSet/report.csv"
MODEL = "results/SynthGait/GaitSet/tiny/model.pt"
# Waits of seconds instead of a cluster's minutes.
PROFILE = (
    "--profile", "workflow/profiles/slurm", "--slurm-init-seconds-before-status-checks", "2",
    "--latency-wait", "5",
)  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose data are prepared and whose model is trained, without SLURM."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    small(workspace)
    workspace.experiment("SynthGait/GaitSet/tiny", **LONG)
    workspace.made(MODEL)
    return workspace


# Long enough to be interrupted: steps are slowed down by many frames.
LONG = {
    "iterations": 60,
    "frames": {"number": "fixed", "order": "unordered", "count": 60},
    "sampler": {"name": "TripletSampler", "subjects": 3, "sequences": 8},
    "model": EXPERIMENT["model"] | {"channels": [16, 32, 32]},
    "logging": {"log_every": 1, "checkpoint_every": 1000},
}


def small(workspace: Workspace) -> None:
    """Ask for resources that the virtual nodes have."""
    job = {"threads": 1, "mem_mb": 1500, "runtime_min": 30, "partition": "main"}
    workspace.edit(
        "config/config.yaml",
        resources={
            "prepare": job,
            "train": job | {"threads": 2, "mem_mb": 3000},
            "embed": job | {"threads": 2, "mem_mb": 3000},
            "report": job,
        },
    )


def submit(workspace: Workspace, *arguments: str) -> Run:
    return workspace.snakemake(*PROFILE, *arguments)


def clear_results(workspace: Workspace) -> None:
    subprocess.run(["rm", "-rf", "results"], cwd=workspace.root, check=True)


def test_synthgait_to_its_table(cluster: Cluster, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    small(workspace)
    run = submit(workspace, TABLE)
    assert run.code == 0, run.output[-4000:]
    rows = list(csv.DictReader((workspace.root / TABLE).open(encoding="utf-8")))
    assert {row["probe"] for row in rows} == {"NM", "BG", "CL", "mean"}
    jobs = [comment for _, comment in cluster.jobs("%i %k")]
    assert any("train" in comment for comment in jobs)


def test_a_failing_job_is_reported_in_one_sentence(cluster: Cluster, prepared: Workspace) -> None:
    prepared.experiment(
        "SynthGait/GaitSet/greedy",
        sampler={"name": "TripletSampler", "subjects": 99, "sequences": 2},
    )
    run = submit(prepared, "--retries", "0", "results/SynthGait/GaitSet/greedy/model.pt")
    assert run.code != 0
    [sentence] = {line for line in run.output.splitlines() if line.startswith("gait: error:")}
    assert "99" in sentence and "sampler.subjects" in sentence


def test_a_retry_has_more_memory(cluster: Cluster, prepared: Workspace) -> None:
    # Torch alone is larger than the first attempt's memory.
    settings = prepared.read("config/config.yaml")["resources"]
    prepared.experiment("SynthGait/GaitSet/hungry")
    small_embed = settings | {"train": settings["train"] | {"mem_mb": 260}}
    prepared.edit("config/config.yaml", resources=small_embed)
    try:
        run = submit(prepared, "--retries", "3", "results/SynthGait/GaitSet/hungry/model.pt")
    finally:
        prepared.edit("config/config.yaml", resources=settings)
    assert run.code == 0, run.output[-4000:]
    memory = [row for row in cluster.jobs("%m %T %k") if "rule_train" in row[2]]
    assert ["260M", "FAILED"] in [row[:2] for row in memory]
    assert any(row[1] == "COMPLETED" and row[0] != "260M" for row in memory)


def test_a_preempted_training_job_resumes_to_the_undisturbed_result(
    cluster: Cluster, prepared: Workspace
) -> None:
    undisturbed = prepared.bytes_of(MODEL)
    clear_results(prepared)
    process = subprocess.Popen(
        prepared.command(*PROFILE, "--retries", "3", MODEL),
        cwd=prepared.root,
        env=prepared.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    history = prepared.root / Path(MODEL).with_name("history.jsonl")
    deadline = time.monotonic() + 120
    while not (history.is_file() and len(history.read_text(encoding="utf-8").splitlines()) > 3):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
    cluster.preempt(seconds=5)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output[-4000:]
    checkpoints = list((prepared.root / MODEL).parent.glob("checkpoints/*/*.pt"))
    assert checkpoints, "the preempted job left no checkpoint"
    assert prepared.bytes_of(MODEL) == undisturbed


def test_training_on_two_nodes(cluster: Cluster, prepared: Workspace) -> None:
    settings = prepared.read("config/config.yaml")["resources"]
    prepared.edit(
        "config/config.yaml",
        resources=settings | {"train": settings["train"] | {"nodes": 2}},
    )
    prepared.experiment("SynthGait/GaitSet/two")
    try:
        run = submit(prepared, "results/SynthGait/GaitSet/two/model.pt")
    finally:
        prepared.edit("config/config.yaml", resources=settings)
    assert run.code == 0, run.output[-4000:]
    history = prepared.root / "results/SynthGait/GaitSet/two/history.jsonl"
    lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    assert lines[0]["run"]["processes"] == 2
