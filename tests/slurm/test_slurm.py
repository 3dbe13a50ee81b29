"""The real workflow on a real SLURM: table, failure, retry, preemption, two nodes."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.cluster import Cluster, missing
from tests.workflow.workspace import EXPERIMENT, Run, Workspace

pytestmark = pytest.mark.slurm

# Long enough to be interrupted in the middle, and never saved unless told to stop.
LONG: dict[str, Any] = {
    "iterations": 100,
    "frames": {"number": "fixed", "order": "unordered", "count": 10},
    "sampler": {"name": "TripletSampler", "subjects": 3, "sequences": 8},
    "model": EXPERIMENT["model"] | {"channels": [8, 16, 16]},
    "logging": {"log_every": 1, "checkpoint_every": 1000},
}
JOB = {"threads": 1, "mem_mb": 1500, "runtime_min": 30, "partition": "main"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = missing()
    if reason is not None:
        # Skipped tests would pass for a suite that has run.
        pytest.fail(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose data are prepared, and the long experiment's model, made without SLURM."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    ask_for(workspace)
    workspace.experiment("SynthGait/GaitSet/long", **LONG)
    workspace.made(model_of("long"))
    return workspace


def ask_for(workspace: Workspace, **train: Any) -> None:
    """Ask for what the virtual nodes have, and for `train` on top for training."""
    resources = {
        "prepare": JOB,
        "train": JOB | {"mem_mb": 2000} | train,
        "embed": JOB | {"mem_mb": 2000},
        "report": JOB,
    }
    workspace.edit("config/config.yaml", resources=resources)


def model_of(experiment: str) -> str:
    return f"results/SynthGait/GaitSet/{experiment}/model.pt"


def history(workspace: Workspace, experiment: str) -> list[dict[str, Any]]:
    """The lines of history.jsonl, none where it has not been begun."""
    path = workspace.root / Path(model_of(experiment)).with_name("history.jsonl")
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def losses(lines: list[dict[str, Any]]) -> list[float]:
    return [line["loss"] for line in lines if "loss" in line]


def log_of(workspace: Workspace, job: dict[str, str]) -> str:
    """What the executor kept of a job's output."""
    [log] = workspace.root.glob(f".snakemake/slurm_logs/**/{job['JobId']}.log")
    return log.read_text(encoding="utf-8")


@contextmanager
def submitted(workspace: Workspace, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake as a user of a cluster calls it, but for waits of seconds instead of minutes."""
    command = [
        str(Path(sys.executable).with_name("snakemake")),
        "--profile", "workflow/profiles/slurm",
        "--slurm-init-seconds-before-status-checks", "2",
        "--latency-wait", "20",
        *arguments,
    ]  # fmt: skip
    with (workspace.root / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=workspace.root,
            env=workspace.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            # SIGTERM would wait for the jobs, SIGINT cancels them.
            for number in (signal.SIGINT, signal.SIGKILL):
                if process.poll() is None:
                    process.send_signal(number)
                    try:
                        process.wait(timeout=60)
                    except subprocess.TimeoutExpired:
                        continue


def ended(workspace: Workspace, process: subprocess.Popen[bytes]) -> Run:
    """What Snakemake did, once it is through."""
    output = workspace.root / "output.txt"
    try:
        code = process.wait(timeout=400)
    except subprocess.TimeoutExpired:
        pytest.fail(f"Snakemake did not end: {output.read_text(encoding='utf-8')[-4000:]}")
    return Run(code, output.read_text(encoding="utf-8"))


def submit(workspace: Workspace, *arguments: str) -> Run:
    with submitted(workspace, *arguments) as process:
        return ended(workspace, process)


def test_synthgait_to_its_table(cluster: Cluster, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    ask_for(workspace)
    table = "results/SynthGait/GaitSet/report.csv"
    run = submit(workspace, table)
    assert run.code == 0, run.output[-4000:]
    rows = list(csv.DictReader((workspace.root / table).open(encoding="utf-8")))
    assert {row["probe"] for row in rows} == {"NM", "BG", "CL", "mean"}
    rules = ("synthesize", "rearrange", "segment", "pretreat", "pack", "train", "embed", "score")
    for rule in rules:
        jobs = cluster.jobs(rule)
        assert [job["JobState"] for job in jobs] == ["COMPLETED"] * len(jobs) and jobs, rule
        assert {job["TimeLimit"] for job in jobs} == {"00:30:00"}
        assert {job["CPUs/Task"] for job in jobs} == {"1"}


def test_a_failing_job_is_one_sentence_and_the_others_go_on(
    cluster: Cluster, prepared: Workspace
) -> None:
    prepared.experiment(
        "SynthGait/GaitSet/greedy",
        sampler={"name": "TripletSampler", "subjects": 99, "sequences": 2},
    )
    prepared.experiment("SynthGait/GaitSet/modest")
    ask_for(prepared)
    run = submit(prepared, "--retries", "0", model_of("greedy"), model_of("modest"))
    assert run.code != 0
    sentence = run.output.rstrip().splitlines()[-1]
    assert sentence.startswith("gait: error:") and run.output.count("gait: error:") == 1
    assert "99" in sentence and "sampler.subjects" in sentence
    [greedy], [modest] = cluster.jobs("train", "greedy"), cluster.jobs("train", "modest")
    assert (greedy["JobState"], modest["JobState"]) == ("FAILED", "COMPLETED")
    assert (prepared.root / model_of("modest")).is_file()
    # Side by side, whatever is the limit on a single machine.
    assert max(greedy["StartTime"], modest["StartTime"]) < min(
        greedy["EndTime"], modest["EndTime"]
    )


def test_a_retry_has_more_memory_and_the_same_gpu(cluster: Cluster, prepared: Workspace) -> None:
    prepared.experiment("SynthGait/GaitSet/hungry")
    # Snakemake, torchrun and one process with torch are more than the first attempt has.
    ask_for(prepared, mem_mb=300, gpus=1)
    run = submit(prepared, "--retries", "3", model_of("hungry"))
    assert run.code == 0, run.output[-4000:]
    jobs = cluster.jobs("train", "hungry")
    states = [job["JobState"] for job in jobs]
    assert len(jobs) > 1 and states == ["FAILED"] * (len(jobs) - 1) + ["COMPLETED"]
    assert [job["MinMemoryNode"] for job in jobs] == [
        ["300M", "600M", "1200M", "2400M"][attempt] for attempt in range(len(jobs))
    ]
    assert "exceeded memory limit" in log_of(prepared, jobs[0])
    assert {job["TresPerJob"] for job in jobs} == {"gres:gpu:1"}
    assert {job["Partition"] for job in jobs} == {"main"}


def test_a_preempted_job_resumes_to_the_undisturbed_result(
    cluster: Cluster, prepared: Workspace
) -> None:
    result = prepared.root / model_of("long")
    model, curve = result.read_bytes(), losses(history(prepared, "long"))
    result.parent.rename(prepared.root / "undisturbed")
    ask_for(prepared)
    with submitted(prepared, result.relative_to(prepared.root).as_posix()) as process:
        deadline = time.monotonic() + 120
        while len(history(prepared, "long")) < 10:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        cluster.preempt(seconds=3)
        run = ended(prepared, process)
    assert run.code == 0, run.output[-4000:]

    jobs = cluster.jobs("train", "long")
    assert jobs[0]["PreemptTime"] != "None", jobs
    saved, last = sorted(int(each.stem) for each in result.parent.glob("checkpoints/*/*.pt"))
    assert 9 <= saved < last == LONG["iterations"]
    assert f"told to stop: saved after iteration {saved}" in log_of(prepared, jobs[0])
    starts = [line["iteration"] for line in history(prepared, "long") if "run" in line]
    assert starts == [0, saved]

    assert result.read_bytes() == model
    assert losses(history(prepared, "long")) == curve


def test_training_on_two_nodes(cluster: Cluster, prepared: Workspace) -> None:
    prepared.experiment("SynthGait/GaitSet/two", **LONG | {"iterations": 6})
    ask_for(prepared, nodes=2, gpus=1)
    run = submit(prepared, model_of("two"))
    assert run.code == 0, run.output[-4000:]
    [job] = cluster.jobs("train", "two")
    assert (job["NumNodes"], job["TresPerNode"]) == ("2", "gres:gpu:1")
    nodes = [
        node
        for node in ("n1", "n2", "n3", "n4")
        if f"launch task StepId={job['JobId']}.0 " in cluster.log(f"slurmd.{node}")
    ]
    assert len(nodes) == 2
    start, *steps = history(prepared, "two")
    assert start["run"]["processes"] == 2
    alone = losses(history(prepared, "long"))[: len(steps)]
    assert losses(steps) == pytest.approx(alone, rel=1e-4)
