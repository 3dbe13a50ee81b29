"""An experiment that is trained on one population and tested on another."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.workflow.conftest import TABLE
from tests.workflow.workspace import POPULATION, Workspace

pytestmark = pytest.mark.workflow

CROSS = "results/SynthGait/GaitSet/tiny/on-Elsewhere/report.csv"
TESTED = "SynthGait GaitSet tiny /on-Elsewhere"
EVALUATION = {f"{rule} {TESTED}" for rule in ("resolve", "embed", "score", "tabulate")}


@pytest.fixture
def elsewhere(finished: Workspace) -> Workspace:
    """The finished workspace, with a second population of which nothing is made yet."""
    dataset = finished.read("datasets/SynthGait/dataset.yaml")
    population = POPULATION | {"seed": 2, "subjects": 3}
    finished.write("datasets/Elsewhere/dataset.yaml", dataset | {"population": population})
    finished.write("datasets/Elsewhere/partition.yaml", {"train": ["001"], "test": ["002-003"]})
    return finished


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
        "views.csv",
    }
    found = rows(elsewhere.root / CROSS)
    for row in found:
        assert (row["dataset"], row["trained_on"]) == ("Elsewhere", "SynthGait")
        assert (row["model"], row["save_name"]) == ("GaitSet", "tiny")
    assert {row["protocol"] for row in found} == {"single_view", "cross_view_gallery"}
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
        ("SynthGait/GaitTR/tiny/on-Flat", ["reads pose", "Flat does not have"]),
    ],
)
def test_what_cannot_be_is_one_sentence_before_anything_runs(
    elsewhere: Workspace, target: str, parts: list[str]
) -> None:
    elsewhere.write("config/experiments/SynthGait/GaitTR/tiny.yaml", {"iterations": 2})
    flat = elsewhere.read("datasets/SynthGait/dataset.yaml")
    del flat["population"]
    elsewhere.write("datasets/Flat/dataset.yaml", flat)
    elsewhere.write("datasets/Flat/partition.yaml", {"train": [], "test": ["*"]})
    leaf = elsewhere.root / "data/Flat/pkl/001/nm-01/090"
    leaf.mkdir(parents=True)
    (leaf / "090.pkl").touch()
    run = elsewhere.snakemake(f"results/{target}/report.csv")
    assert run.code != 0
    [sentence] = [line for line in run.output.splitlines() if line.startswith("gait: error:")]
    for part in parts:
        assert part in sentence
    assert "Traceback" not in run.output
    assert not run.jobs
