"""Datasets that are not scored by retrieval go from their pkl files to what is asked of them."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.dataset import named_subjects
from gait.config.load import load_dataset
from tests.workflow.workspace import EXPERIMENT, REPOSITORY, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

DIAGNOSES = ("Negative", "Neutral", "Positive")
SCONET: dict[str, Any] = EXPERIMENT | {
    "model": {
        "backbone": {"name": "ResNet9", "channels": [4, 4, 8, 8]},
        "embedding_channels": 8,
    }
}


def lay(workspace: Workspace, dataset: str, keys: Iterable[tuple[str, str, str]]) -> None:
    """Write short sequences of blobs as a pkl tree."""
    generator = np.random.default_rng(0)
    for key in keys:
        folder = workspace.root / "data" / dataset / "pkl" / Path(*key)
        folder.mkdir(parents=True)
        frames = np.zeros((5, 64, 64), np.uint8)
        left, top = generator.integers(8, 30, 2)
        frames[:, top:60, left : left + 20] = 255
        (folder / f"{key[2]}.pkl").write_bytes(pickle.dumps(frames))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_ratio_of_scoliosis1k_is_a_row(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.experiment("Scoliosis1K/ScoNet/even", **SCONET)
    workspace.experiment("Scoliosis1K/ScoNet/uneven", **SCONET, partition="114")
    subjects: set[str] = set()
    for partition in (None, "114"):
        cut = load_dataset(REPOSITORY, "Scoliosis1K", partition)[0].partition
        for listed in (cut.train, cut.test):
            subjects |= set(sorted(named_subjects(listed))[:6])
    lay(
        workspace,
        "Scoliosis1K",
        [
            (subject, DIAGNOSES[number % 3], view)
            for number, subject in enumerate(sorted(subjects))
            for view in ("000_180", "000_000")
        ],
    )
    run = workspace.made("results/Scoliosis1K/ScoNet/report.csv")
    assert {"import_pkl Scoliosis1K", "pack Scoliosis1K"} <= run.jobs, "prepared once for both"
    rows = rows_of(workspace.root / "results/Scoliosis1K/ScoNet/report.csv")
    for name in ("even", "uneven"):
        own = [row for row in rows if row["save_name"] == name]
        assert [row["probe"] for row in own] == ["negative", "neutral", "positive", "mean"]
        assert own[-1]["accuracy_pct"] and own[-1]["accuracy_ci_low_pct"] and own[0]["recall_pct"]
    figures = workspace.root / "results/Scoliosis1K/ScoNet/even/figures"
    assert (figures / "diagnosis-confusion.svg").is_file()


def test_the_letter_of_d_gait_s_subjects_is_their_class(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.experiment("D-Gait/ScoNet/tiny", **SCONET)
    cut = load_dataset(REPOSITORY, "D-Gait")[0].partition
    subjects = [
        name
        for listed in (cut.train, cut.test)
        for letter in "DN"
        for name in sorted(each for each in named_subjects(listed) if each[0] == letter)[:3]
    ]
    # A condition that says the opposite.
    lay(workspace, "D-Gait", [(each, "DN"[each[0] == "D"], "000") for each in subjects])
    workspace.made("results/D-Gait/ScoNet/report.csv")
    rows = rows_of(workspace.root / "results/D-Gait/ScoNet/report.csv")
    assert [(row["probe"], row["n_probe"]) for row in rows] == [
        ("not_depressed", "3"), ("depressed", "3"), ("mean", "6"),
    ]  # fmt: skip
    assert all(row["recall_pct"] and row["specificity_pct"] for row in rows)


def test_challenges_get_their_files(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    for dataset in ("HID2022", "GREW"):
        workspace.experiment(f"{dataset}/GaitSet/tiny", **EXPERIMENT)
    people = [f"{number:04d}" for number in (0, 1, 2, 500, 501, 1004)]
    gallery = [(subject, f"{number:02d}", "default") for subject in people for number in (1, 2)]
    videos = [("probe", f"video{number}", "default") for number in range(4)]
    lay(workspace, "HID2022", [*gallery, *videos])
    train = [(f"0000{i}train", "00", f"aaaaaa{i}{j}") for i in (1, 2, 3) for j in (0, 1)]
    gallery = [(f"0000{i}", f"0{j}", f"bbbbbb{i}{j}") for i in (1, 2, 3) for j in (1, 2)]
    probes = [("probe", "03", f"cccccc0{i}") for i in range(3)]
    lay(workspace, "GREW", [*train, *gallery, *probes])
    tables = [f"results/{dataset}/GaitSet/report.csv" for dataset in ("HID2022", "GREW")]
    workspace.made(*tables)

    folder = workspace.root / "results/HID2022/GaitSet/tiny"
    for name in ("submission.csv", "submission-reranked.csv"):
        lines = rows_of(folder / name)
        assert [line["videoID"] for line in lines] == [f"video{number}" for number in range(4)]
        assert {line["label"] for line in lines} <= {"0500", "0501", "1004"}
        assert all(list(line) == ["videoID", "label"] for line in lines)
    lines = rows_of(workspace.root / "results/GREW/GaitSet/tiny/submission.csv")
    assert list(lines[0]) == ["videoId", *(f"rank{number}" for number in range(1, 21))]
    assert [line["videoId"] for line in lines] == [view for _, _, view in probes]
    assert {lines[0][f"rank{number}"] for number in range(1, 7)} == {"1", "2", "3"}
    rows = rows_of(workspace.root / tables[1])
    assert [(row["protocol"], row["probe"]) for row in rows] == [
        ("local", "all"), ("local", "mean"), ("submission", "all"),
    ]  # fmt: skip
    # The recipe here is not that of the experiment whose figure it is.
    assert rows[2]["published_by"] == "OpenGait, another recipe"
    assert rows[2]["published_rank1_pct"] == "48.40" and "fewer than the 20" in rows[2]["note"]
    assert workspace.planned(*tables) == set(), "nothing runs twice"
