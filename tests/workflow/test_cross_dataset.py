"""An experiment that is trained on one population and tested on another."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import TABLE
from tests.workflow.workspace import POPULATION, Workspace

pytestmark = pytest.mark.workflow

CROSS = "results/SynthGait/GaitSet/tiny/on-Elsewhere/report.csv"
TESTED = "SynthGait GaitSet tiny /on-Elsewhere"
EVALUATION = {f"{rule} {TESTED}" for rule in ("resolve", "embed", "score", "report")}


@pytest.fixture
def elsewhere(finished: Workspace) -> Workspace:
    """The finished workspace, with a second population of which nothing is made yet."""
    dataset = finished.read("datasets/SynthGait/dataset.yaml")
    population = POPULATION | {"seed": 2, "subjects": 3}
    finished.write("datasets/Elsewhere/dataset.yaml", dataset | {"population": population})
    finished.write("datasets/Elsewhere/partition.yaml", {"train": ["001"], "test": ["002-003"]})
    return finished


def adopted(workspace: Workspace, name: str) -> Path:
    """The pkl tree, empty so far, of another dataset, all subjects of which are tested."""
    dataset = workspace.read("datasets/SynthGait/dataset.yaml")
    del dataset["population"]
    workspace.write(f"datasets/{name}/dataset.yaml", dataset)
    workspace.write(f"datasets/{name}/partition.yaml", {"train": [], "test": ["*"]})
    tree = workspace.root / "data" / name / "pkl"
    tree.mkdir(parents=True)
    return tree


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_model_is_tested_elsewhere_and_not_trained_again(elsewhere: Workspace) -> None:
    own = elsewhere.bytes_of(TABLE)
    run = elsewhere.made(CROSS)
    assert run.jobs >= EVALUATION
    assert not any("SynthGait" in job for job in run.jobs - EVALUATION)
    folder = (elsewhere.root / CROSS).parent
    assert {each.name for each in folder.iterdir()} == {
        "config.yaml",
        "embeddings.npz",
        "figures",
        "metrics.json",
        "report.csv",
        "report.csv.sha256",
        "views.csv",
        "views.csv.sha256",
    }
    found = rows(elsewhere.root / CROSS)
    for row in found:
        assert (row["dataset"], row["trained_on"]) == ("Elsewhere", "SynthGait")
        assert (row["model"], row["save_name"]) == ("GaitSet", "tiny")
    protocols = {"single_view", "cross_view_gallery", "verification"}
    assert {row["protocol"] for row in found} == protocols
    assert all(row["eer_pct"] for row in found if row["protocol"] == "verification")
    # Two test subjects, each seen from two views.
    assert next(row["n_gallery"] for row in found if row["probe"] == "NM") == "16"
    assert all(row["trained_on"] == "" for row in rows(elsewhere.root / TABLE))

    assert elsewhere.planned(CROSS, TABLE) == set()
    assert elsewhere.bytes_of(TABLE) == own
    protocols = elsewhere.read("datasets/Elsewhere/dataset.yaml")["protocols"]
    protocols["single_view"]["gallery"]["condition"] = ["nm-01", "nm-02"]
    elsewhere.edit("datasets/Elsewhere/dataset.yaml", protocols=protocols)
    assert elsewhere.planned(CROSS, TABLE) == EVALUATION - {f"embed {TESTED}"}
    elsewhere.experiment("SynthGait/GaitSet/tiny", seed=5)
    assert f"train {TESTED}".removesuffix(" /on-Elsewhere") in elsewhere.planned(CROSS)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("SynthGait/GaitSet/tiny/on-Elsewher", ["no dataset is named", "'Elsewhere'"]),
        ("SynthGait/GaitSet/tiny/on-SynthGait", ["is trained on SynthGait itself"]),
        ("SynthGait/GaitSet/tiny/on-GaitLU-1M", ["GaitLU-1M has no protocol", "dataset.yaml"]),
        ("SynthGait/GaitTR/tiny/on-Flat", ["reads pose", "data/Flat/pkl does not have"]),
    ],
)
def test_what_cannot_be_is_one_sentence_before_anything_runs(
    elsewhere: Workspace, target: str, parts: list[str]
) -> None:
    elsewhere.write("config/experiments/SynthGait/GaitTR/tiny.yaml", {"iterations": 2})
    leaf = adopted(elsewhere, "Flat") / "001/nm-01/090"
    leaf.mkdir(parents=True)
    (leaf / "090.pkl").touch()
    run = elsewhere.snakemake(f"results/{target}/report.csv")
    assert run.code != 0
    [sentence] = [line for line in run.output.splitlines() if line.startswith("gait: error:")]
    for part in parts:
        assert part in sentence
    assert "Traceback" not in run.output
    assert not run.jobs


@pytest.mark.slow
def test_seeds_and_datasets_make_a_matrix(finished: Workspace) -> None:
    tree = adopted(finished, "Copy")
    for subject in ("002", "003"):
        shutil.copytree(finished.root / "data/SynthGait/pkl" / subject, tree / subject)
    matrix = {"experiments": ["SynthGait/GaitSet/tiny"], "seeds": [0, 1]}
    matrix["test_on"] = ["SynthGait", "Copy"]
    targets = ["results/matrix.csv", "results/report.html"]
    finished.edit("config/config.yaml", matrix=matrix, targets=targets)
    run = finished.made()
    # The experiment's own seed is 0, whose model is there.
    trained = {job for job in run.jobs if job.startswith("train")}
    assert trained == {"train SynthGait GaitSet tiny@1"}
    embedded = {job for job in run.jobs if job.startswith("embed")}
    assert embedded == {
        "embed SynthGait GaitSet tiny /on-Copy",
        "embed SynthGait GaitSet tiny@1",
        "embed SynthGait GaitSet tiny@1 /on-Copy",
    }
    [row] = rows(finished.root / "results/matrix.csv")
    assert (row["save_name"], row["trained_on"]) == ("tiny", "SynthGait")
    for column in ("SynthGait/single_view", "Copy/single_view"):
        assert row[f"{column}:seeds"] == "2"
        assert float(row[f"{column}:sd_pct"]) >= 0
    assert "Copy/single_view" in (finished.root / targets[1]).read_text(encoding="utf-8")
    finished.made("--report", "report.html", targets[0])
    assert "trained on, columns" in (finished.root / "report.html").read_text(encoding="utf-8")

    assert finished.planned() == set()
    finished.edit("config/config.yaml", matrix=matrix | {"seeds": [1]})
    assert {job.split()[0] for job in finished.planned()} == {"matrix", "html_report"}
    # A seed of another run is none of this one's business.
    assert finished.planned(TABLE) == set()
