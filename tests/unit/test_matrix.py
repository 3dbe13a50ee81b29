"""The matrix: what it is made of, its means and spreads, and where it is shown."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.load import load_named
from gait.config.yaml import read_yaml
from gait.errors import ConfigError, DataError
from gait.formats.seal import sealed_json
from gait.report import html_report, show, tabulate_matrix
from gait.report.matrix import MatrixCell, is_matrix, read_matrix
from gait.workflow import matrix as matrices
from gait.workflow.state import MATRIX, WorkflowState
from tests.unit.configurations import adopt, copy_configuration, edit, experiment, sealed_archive
from tests.unit.scores import metrics, summary, table
from tests.unit.test_page import Page

REPOSITORY = Path(__file__).parents[2]
DEMO = "SynthGait/GaitSet/demo"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_configuration(tmp_path)


def flow(root: Path, **matrix: Any) -> WorkflowState:
    settings = read_yaml(root / "config/config.yaml")[0]
    return WorkflowState(root, settings | {"matrix": {"experiments": [DEMO]} | matrix})


def files(*runs: str) -> list[str]:
    return [f"results/{run}/metrics.json" for run in runs]


# What it is made of.


def test_seeds_and_datasets_expand(root: Path) -> None:
    adopt(root, "OUMVLP", "090.pkl")
    known = flow(root, seeds=[2, 0], test_on=["SynthGait", "OUMVLP"])
    # Its own seed is 0: that run is the experiment itself.
    assert matrices.metrics(known) == files(
        f"{DEMO}@2", DEMO, f"{DEMO}@2/on-OUMVLP", f"{DEMO}/on-OUMVLP"
    )
    assert matrices.notes(known) == []


def test_without_more_an_experiment_is_tested_on_all_datasets_trained_on(root: Path) -> None:
    adopt(root, "OUMVLP", "090.pkl")
    far = "OUMVLP/GaitSet/paper"
    assert matrices.metrics(flow(root, experiments=[DEMO, far])) == files(
        DEMO, f"{DEMO}/on-OUMVLP", f"{far}/on-SynthGait", far
    )


def test_weights_given_as_they_are_have_no_seeds_and_absent_ones_are_a_note(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/given", weights="weights/here.pt")
    experiment(root, "SynthGait/GaitSet/absent", weights="weights/absent.pt")
    (root / "weights").mkdir()
    sealed_archive(root / "weights/here.pt")
    names = [f"SynthGait/GaitSet/{each}" for each in ("given", "absent")]
    known = flow(root, experiments=names, seeds=[0, 1, 2])
    assert matrices.metrics(known) == files(names[0])
    assert matrices.notes(known) == [f"{names[1]}: the weights weights/absent.pt are not there"]


def test_all_that_cannot_be_is_told_at_once(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/wrong", iteration=3)
    with pytest.raises(ConfigError) as raised:
        matrices.metrics(
            flow(
                root,
                experiments=[DEMO, "SynthGait/GaitSet/wrong"],
                test_on=["SynthGat", "GaitLU-1M"],
            )
        )
    assert len(raised.value.problems) == 3
    for part in ("'SynthGait'", "GaitLU-1M has no protocol", "'iterations'"):
        assert part in str(raised.value)
    with pytest.raises(ConfigError, match=r"matrix\.experiments: .*did you mean '.*demo'"):
        matrices.metrics(flow(root, experiments=["SynthGait/GaitSet/dem"]))
    settings = read_yaml(root / "config/config.yaml")[0]
    del settings["matrix"]
    with pytest.raises(ConfigError, match=r"results/matrix\.csv needs 'matrix'"):
        matrices.metrics(WorkflowState(root, settings))


def test_the_page_has_the_matrix_where_it_is_a_target(root: Path) -> None:
    settings = read_yaml(root / "config/config.yaml")[0]
    assert WorkflowState(root, settings).page_matrix() == []
    known = WorkflowState(root, settings | {"targets": [MATRIX, "results/report.html"]})
    assert (known.page_matrix(), known.page_reports()) == ([MATRIX], [])


# Seeds.


def test_a_seed_behind_the_name_is_the_experiment_with_that_seed(root: Path) -> None:
    own, _ = load_named(root, DEMO)
    other, origins = load_named(root, f"{DEMO}@12")
    assert (own.experiment.seed, other.experiment.seed) == (0, 12)
    assert (other.identity, other.save_name) == (f"{DEMO}@12", "demo@12")
    assert str(origins["seed"]) == f"the name {DEMO}@12"
    assert other.experiment.model_copy(update={"seed": 0}) == own.experiment
    known = flow(root)
    assert known.slice("training", *DEMO.split("/")) != known.slice(
        "training", "SynthGait", "GaitSet", "demo@12"
    )


@pytest.mark.parametrize("seed", ["", "x", "-1", "01", "1@2"])
def test_what_is_no_seed_is_refused(root: Path, seed: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a seed such as demo@1, got"):
        load_named(root, f"{DEMO}@{seed}")


def test_a_run_with_another_seed_can_be_started_from(root: Path) -> None:
    weights = f"results/{DEMO}@3/model.pt"
    experiment(root, "SynthGait/GaitSet/tuned", init={"weights": weights})
    assert flow(root).missing("SynthGait", "GaitSet", "tuned") is None
    edit(root, "config/experiments/SynthGait/GaitSet/tuned.yaml", init={"weights": weights[:-3]})
    assert flow(root).missing("SynthGait", "GaitSet", "tuned") is not None


# The table.


def run(folder: Path, rank1: float | None, seed: int = 0, **changes: Any) -> Path:
    """The metrics of a run."""
    record = metrics("paper" if seed == 0 else f"paper@{seed}", seed=seed) | changes
    record["protocols"]["single_view"]["mean"] = summary(rank1)
    path = folder / f"{len(list(folder.glob('*.json')))}.json"
    path.write_text(sealed_json(record), encoding="utf-8")
    return path


def test_mean_and_spread_of_unrounded_values(tmp_path: Path) -> None:
    values = [80.004, 82.3333, 90.6]
    made = [run(tmp_path, value, seed) for seed, value in enumerate(values)]
    made.append(run(tmp_path, 41.0, dataset="Far", trained_on="Toy"))
    made.append(run(tmp_path, 70.0, seed=3, dataset="Far"))
    tabulate_matrix(made, tmp_path / "matrix.csv", ["Toy/GaitSet/lost: the weights are gone"])
    with (tmp_path / "matrix.csv").open(encoding="utf-8", newline="") as file:
        own, far, lost = csv.DictReader(file)
    assert [each["trained_on"] for each in (own, far, lost)] == ["Toy", "Far", "Toy"]
    assert [each["save_name"] for each in (own, far, lost)] == ["paper", "paper", "lost"]
    assert own["Toy/single_view:rank1_pct"] == f"{np.mean(values):.2f}"
    assert own["Toy/single_view:sd_pct"] == f"{np.std(values, ddof=1):.2f}"
    assert own["Toy/single_view:seeds"] == "3"
    # One seed has no spread; what was not tested is empty.
    assert own["Far/single_view:rank1_pct"] == "41.00" and own["Far/single_view:sd_pct"] == ""
    assert far["Far/single_view:rank1_pct"] == "70.00"
    assert {far[f"Toy/single_view:{each}"] for each in ("rank1_pct", "sd_pct", "seeds")} == {""}
    assert lost["note"] == "the weights are gone" and lost["Toy/single_view:rank1_pct"] == ""


def test_a_seed_without_a_value_takes_no_part(tmp_path: Path) -> None:
    made = [run(tmp_path, value, seed) for seed, value in enumerate([None, 60.0, None])]
    tabulate_matrix(made, tmp_path / "a.csv", [])
    assert read_matrix(tmp_path / "a.csv").rows[0].cells == {
        "Toy/single_view": MatrixCell("60.00", "", "1")
    }
    tabulate_matrix(made[:1], tmp_path / "b.csv", [])
    assert "nan" not in (tmp_path / "b.csv").read_text().lower()
    assert read_matrix(tmp_path / "b.csv").rows[0].cells == {
        "Toy/single_view": MatrixCell("", "", "0")
    }


def test_the_same_run_twice_and_other_files_are_refused(tmp_path: Path) -> None:
    made = [run(tmp_path, 60.0), run(tmp_path, 60.0)]
    with pytest.raises(DataError, match=r"seed 0 of GaitSet/paper/Toy on Toy; give one"):
        tabulate_matrix(made, tmp_path / "matrix.csv", [])
    with pytest.raises(DataError, match="expected a note"):
        tabulate_matrix([], tmp_path / "matrix.csv", ["Toy/GaitSet: why"])
    assert not (tmp_path / "matrix.csv").exists()
    report = table(tmp_path / "report.csv")
    assert not is_matrix(report) and not is_matrix(tmp_path / "none.csv")
    with pytest.raises(DataError, match="make it again"):
        read_matrix(report)


def test_it_is_shown_on_the_terminal_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [run(tmp_path, 80.0), run(tmp_path, 90.0, 1), run(tmp_path, 41.0, dataset="Far")]
    path = tmp_path / "matrix.csv"
    tabulate_matrix(made, path, ["Toy/GaitSet/lost: the weights are <gone>"])
    show(path)
    text = capsys.readouterr().out
    for expected in (
        "tested on", "85.00 ± 7.07 (2)", "41.00", "Toy/GaitSet/lost: the weights are <gone>",
    ):  # fmt: skip
        assert expected in text
    html_report([], tmp_path / "report.html", path)
    words = " ".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).words)
    for expected in ("85.00 ± 7.07 (2)", "Far/single_view", "the weights are <gone>"):
        assert expected in words
