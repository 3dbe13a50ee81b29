"""Broken raw data and configuration: a clear sentence each, nothing lost, nothing half-written."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest

from tests import raw_pkl_trees
from tests.raw_trees import lay
from tests.workflow.conftest import TABLE
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.workflow


def test_broken_videos_are_counted_and_the_rest_goes_on(finished: Workspace) -> None:
    raw = finished.root / "data/SynthGait/raw"
    whole = (raw / "001-nm-01-090.avi").read_bytes()
    (raw / "001-nm-01-090.avi").write_bytes(whole[: len(whole) // 2])
    (raw / "002-nm-01-090.avi").write_bytes(b"")
    (raw / "003-nm-01-090.avi").write_bytes((raw / "003-bkgrd-090.avi").read_bytes())
    finished.made("data/SynthGait/manifest.csv")
    with (finished.root / "data/SynthGait/manifest.csv").open(encoding="utf-8") as file:
        rows = {
            (row["subject"], row["condition"], row["view"]): row for row in csv.DictReader(file)
        }
    assert len(rows) == 120
    assert "truncated" in rows["001", "nm-01", "090"]["dropped"]
    for subject in ("002", "003"):
        row = rows[subject, "nm-01", "090"]
        assert row["pkl"] == "" and row["frames_kept"] == "0"
    assert "no walker" in rows["003", "nm-01", "090"]["dropped"]
    assert rows["001", "nm-02", "090"]["pkl"]


def test_what_cannot_be_used_stops_before_any_long_job(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.experiment("CASIA-B/GaitSet/paper")
    raw = workspace.root / "data/CASIA-B/raw/001/nm-01/090"
    raw.mkdir(parents=True)
    for number in range(5):
        (raw / f"{number:03d}.png").write_bytes(b"no picture at all")
    run = workspace.snakemake("data/CASIA-B/packed/index.csv")
    assert run.code != 0 and run.rules() == {"check"}
    [*_, sentence] = [line for line in run.output.splitlines() if line.startswith("gait: error:")]
    assert "sequences of another content than their name says: 1 (001/nm-01/090)" in sentence
    log = (workspace.root / "logs/check/CASIA-B.log").read_text(encoding="utf-8")
    assert "warning: missing training subjects: 73" in log
    assert not (workspace.root / "data/CASIA-B/shards").exists()


def test_a_missing_dataset_is_one_sentence(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.experiment("CASIA-B/GaitSet/paper")
    run = workspace.snakemake("results/CASIA-B/GaitSet/report.csv")
    assert run.code != 0
    sentence = run.output.strip().splitlines()[-1]
    assert "data/CASIA-B/raw" in sentence
    assert "CASIA Gait Database" in sentence
    assert "results/SynthGait/GaitSet/report.csv" in sentence
    assert "Traceback" not in run.output


def test_a_modality_that_is_not_there_is_told_before_anything_runs(
    fresh: Callable[[], Workspace],
) -> None:
    workspace = fresh()
    lay(workspace.root / "data/SUSTech1K/pkl", raw_pkl_trees.sustech1k_pkl())
    workspace.write("config/experiments/SUSTech1K/LidarGait/tiny.yaml", {"iterations": 1})
    run = workspace.snakemake("results/SUSTech1K/LidarGait/tiny/report.csv")
    assert run.code != 0 and not run.jobs
    [sentence] = [line for line in run.output.splitlines() if line.startswith("gait: error:")]
    why = "reads depth, which data/SUSTech1K/pkl does not have, only pose, ratio, rgb, "
    assert f"SUSTech1K/LidarGait/tiny.yaml: {why}silhouettes; add <view>-depth.pkl" in sentence
    assert "Traceback" not in run.output
    table = "results/SUSTech1K/LidarGait/report.csv"
    assert workspace.made(table).rules() == {"merge_experiments"}
    with (workspace.root / table).open(encoding="utf-8") as file:
        [row] = csv.DictReader(file)
    assert row["save_name"] == "tiny" and row["note"].startswith(why)


def test_unknown_keys_are_reported_together_before_anything_runs(
    fresh: Callable[[], Workspace],
) -> None:
    workspace = fresh()
    workspace.experiment("SynthGait/GaitSet/tiny", iteration=5, optimiser={"name": "Adam"})
    run = workspace.snakemake(TABLE)
    assert run.code != 0
    assert "tiny.yaml" in run.output
    assert "did you mean 'iterations'" in run.output
    assert "did you mean 'optimizer'" in run.output
    assert not (workspace.root / "data").exists()


def test_an_unknown_key_of_the_workflow_s_configuration(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shard=4)
    run = workspace.snakemake(TABLE)
    assert run.code != 0
    assert "shard" in run.output


def test_more_subjects_than_there_are(finished: Workspace) -> None:
    finished.experiment(
        "SynthGait/GaitSet/tiny",
        sampler={"name": "TripletSampler", "subjects": 40, "sequences": 2},
    )
    run = finished.snakemake(TABLE)
    assert run.code != 0
    # Once, and behind all that Snakemake has to say.
    last = run.output.rstrip().splitlines()[-1]
    assert last.startswith("gait: error:") and run.output.count("gait: error:") == 1
    assert "40" in last and "3" in last and "sampler.subjects" in last
    assert f"{last}\n" in (finished.root / "logs/train/SynthGait/GaitSet/tiny.log").read_text()
