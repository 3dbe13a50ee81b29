"""What runs again after a change, read from Snakemake's own list of jobs."""

from __future__ import annotations

import shutil

import pytest

from tests.workflow.conftest import TABLE
from tests.workflow.workspace import Run, Workspace

pytestmark = pytest.mark.workflow

EXPERIMENT = "SynthGait GaitSet tiny"
TABLES = {f"report {EXPERIMENT}", "merge_experiments SynthGait GaitSet"}
SCORING = {f"score {EXPERIMENT}"} | TABLES
EMBEDDING = {f"embed {EXPERIMENT}"} | SCORING
TRAINING = {f"train {EXPERIMENT}"} | EMBEDDING
RESOLVE = {f"resolve {EXPERIMENT}"}


def test_nothing_runs_twice(finished: Workspace) -> None:
    run = finished.made(TABLE)
    assert run.jobs == set()
    assert "Nothing to be done" in run.output


def test_a_comment_and_formatting_run_nothing(finished: Workspace) -> None:
    for path in (
        "config/experiments/SynthGait/GaitSet/tiny.yaml",
        "config/models/GaitSet.yaml",
        "config/defaults.yaml",
        "datasets/SynthGait/dataset.yaml",
        "config/config.yaml",
    ):
        data = finished.read(path)
        finished.write(path, dict(reversed(data.items())))
        file = finished.root / path
        file.write_text("# A comment.\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert finished.planned(TABLE) == set()


def test_a_replaced_video_redoes_its_shard_and_what_follows(finished: Workspace) -> None:
    raw = finished.root / "data/SynthGait/raw"
    shutil.copyfile(raw / "004-nm-01-054.avi", raw / "005-nm-01-054.avi")
    [shard] = [
        path.name.removesuffix(".csv")
        for path in (finished.root / "data/SynthGait/shards").glob("?-of-?.csv")
        if "005,nm-01,054" in path.read_text(encoding="utf-8")
    ]
    expected = {
        "check SynthGait",
        f"rearrange SynthGait {shard}",
        "merge_catalogue SynthGait",
        f"segment SynthGait {shard}",
        f"pretreat SynthGait {shard}",
        "pack SynthGait",
    } | TRAINING
    assert finished.planned(TABLE) == expected
    run = finished.made(TABLE)
    assert run.jobs == expected
    log = (finished.root / f"logs/segment/SynthGait/{shard}.log").read_text(encoding="utf-8")
    assert "(59 unchanged)" in log
    assert finished.made(TABLE).jobs == set()


def test_findings_are_no_reason_to_run_anything_again(finished: Workspace) -> None:
    findings = finished.root / "data/SynthGait/check.csv"
    assert "\nnote,not used: other .csv file,1,," in findings.read_text(encoding="utf-8")
    findings.write_text("others\n", encoding="utf-8")
    assert finished.planned(TABLE) == set()
    findings.unlink()
    assert finished.planned(TABLE) == set()
    assert finished.made("data/SynthGait/check.csv").jobs == {"check SynthGait"}
    assert finished.planned(TABLE) == set()


def test_other_expectations_check_again_and_prepare_nothing(finished: Workspace) -> None:
    findings = "data/SynthGait/check.csv"
    finished.write(
        "datasets/SynthGait/partition.yaml", {"train": ["001-003"], "test": ["004-007"]}
    )
    assert finished.made(findings).jobs == {"check SynthGait"}
    table = (finished.root / findings).read_text(encoding="utf-8")
    assert "missing test subjects,1,007" in table
    # Embeddings are of the test subjects; no file of the data is made again for them.
    assert finished.planned(TABLE) == EMBEDDING | RESOLVE
    assert finished.planned(findings) == set()


@pytest.mark.slow
def test_an_edited_experiment_reruns_that_experiment_only(finished: Workspace) -> None:
    finished.experiment("SynthGait/GaitSet/other", seed=3)
    finished.made(TABLE)
    finished.experiment("SynthGait/GaitSet/tiny", seed=5)
    assert finished.planned(TABLE) == TRAINING | RESOLVE


def test_logging_settings_do_not_train_again(finished: Workspace) -> None:
    finished.experiment("SynthGait/GaitSet/tiny", logging={"log_every": 2})
    assert finished.planned(TABLE) == RESOLVE | TABLES


def test_an_embedding_setting_does_not_train_again(finished: Workspace) -> None:
    finished.experiment("SynthGait/GaitSet/tiny", embedding={"frames_limit": 10})
    assert finished.planned(TABLE) == EMBEDDING | RESOLVE


def test_an_edited_protocol_rescores_only(finished: Workspace) -> None:
    protocols = finished.read("datasets/SynthGait/dataset.yaml")["protocols"]
    protocols["single_view"]["gallery"]["condition"] = ["nm-01", "nm-02"]
    finished.edit("datasets/SynthGait/dataset.yaml", protocols=protocols)
    assert finished.planned(TABLE) == SCORING | RESOLVE
    run: Run = finished.made(TABLE)
    assert run.jobs == SCORING | RESOLVE


def test_the_segmenter_s_settings_redo_the_silhouettes(finished: Workspace) -> None:
    finished.edit("config/config.yaml", segmenter={"name": "background", "threshold": 9.0})
    assert {each.split()[0] for each in finished.planned(TABLE)} == {
        "segment",
        "pretreat",
        "pack",
        "train",
        "embed",
        "score",
        "report",
        "merge_experiments",
    }


def test_the_number_of_processes_is_no_reason_to_train_again(finished: Workspace) -> None:
    resources = finished.read("config/config.yaml")["resources"]
    resources["train"] |= {"processes": 2, "threads": 2}
    finished.edit("config/config.yaml", resources=resources)
    assert finished.planned(TABLE) == set()
