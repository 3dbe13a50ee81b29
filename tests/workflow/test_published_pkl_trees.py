"""Datasets that are given out as pkl files, by the user's own command, to their tables."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest

from gait.config.load import load_dataset
from tests import raw_pkl_trees
from tests.raw_trees import lay
from tests.workflow.workspace import LIDARGAIT, LIDARGAITPP, REPOSITORY, SCONET, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def rows_of(workspace: Workspace, table: str) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of a table by protocol and probe."""
    with (workspace.root / table).open(encoding="utf-8") as file:
        return {(each["protocol"], each["probe"]): each for each in csv.DictReader(file)}


def modalities(workspace: Workspace, dataset: str) -> set[str]:
    """What a dataset's manifest lists."""
    with (workspace.root / f"data/{dataset}/manifest.csv").open(encoding="utf-8") as file:
        return {row["modality"] for row in csv.DictReader(file)}


def test_silhouettes_in_pkl_files_to_their_tables(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    data = workspace.root / "data"
    lay(data / "CASIA-B-star/raw", raw_pkl_trees.casia_b_star())
    lay(data / "CCGR-MINI/raw", raw_pkl_trees.ccgr_mini())
    lay(data / "SUSTech1K/pkl", raw_pkl_trees.sustech1k_pkl())
    lay(data / "CCGR/pkl", raw_pkl_trees.ccgr())
    lay(data / "GaitLU-1M/raw", raw_pkl_trees.gaitlu_1m())
    scored = ("CASIA-B-star", "CCGR-MINI", "SUSTech1K")
    for dataset in scored:
        baseline: dict[str, Any] = {"iterations": 0}
        if dataset == "CASIA-B-star":
            baseline["evaluation"] = {"protocols": ["single_view"]}
        workspace.write(f"config/experiments/{dataset}/GEI/baseline.yaml", baseline)
    targets = [
        *(f"results/{dataset}/GEI/report.csv" for dataset in scored),
        *(f"data/{dataset}/packed/index.csv" for dataset in ("CCGR", "GaitLU-1M")),
    ]
    run = workspace.made(*targets)
    assert not {"segment", "synthesize"} & run.rules()
    assert {"import_pkl SUSTech1K", "import_pkl CCGR", "pretreat CCGR-MINI 1-of-1"} <= run.jobs
    casia_b, ccgr_mini, sustech1k = (rows_of(workspace, table) for table in targets[:3])
    # Of what is numbered, subjects 075 and 076 test; gallery nm-01, probes nm-05, bg-01 and cl-01.
    for probe in ("NM", "BG", "CL"):
        row = casia_b["single_view", probe]
        assert (row["n_probe"], row["n_gallery"], row["rank1_pct"]) == ("4", "4", "100.00")
    row = ccgr_mini["retrieval", "all"]
    assert (row["n_probe"], row["n_gallery"], row["rank1_pct"]) == ("2", "2", "100.00")
    row = sustech1k["single_view", "Overall"]
    assert (row["n_probe"], row["n_gallery"], row["rank1_pct"]) == ("4", "2", "100.00")
    colours = {"rgb", "ratio"}
    assert modalities(workspace, "CASIA-B-star") == {"silhouettes", "masks"} | colours
    assert modalities(workspace, "CCGR-MINI") == colours | {
        *("silhouettes", "parsing", "pose", "skeleton_maps"),
    }
    assert modalities(workspace, "SUSTech1K") == {"silhouettes", "pose"} | colours
    assert modalities(workspace, "GaitLU-1M") == {"silhouettes"}
    assert workspace.planned(*targets) == set()


def test_diagnoses_and_clouds_in_pkl_files_to_their_tables(
    fresh: Callable[[], Workspace],
) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    cut = load_dataset(REPOSITORY, "Scoliosis1K")[0].partition
    people = [
        (int(subject), condition)
        for subjects in (cut.train, cut.test)
        for subject, condition in zip(
            sorted(subjects)[:3], ("Positive", "neutral", "Negative"), strict=True
        )
    ]
    lay(workspace.root / "data/Scoliosis1K/raw", raw_pkl_trees.scoliosis1k_pkl(people))
    workspace.write("config/experiments/Scoliosis1K/ScoNet/tiny.yaml", SCONET)
    sequences = [
        f"{subject}/{sequence}"
        for subject in ("0002", "0003", "0001", "0007")
        for sequence in ("devid_1/seq_00_new", "devid0/seq_99")
    ]
    lay(workspace.root / "data/FreeGait/raw", raw_pkl_trees.freegait(sequences))
    workspace.write("config/experiments/FreeGait/LidarGait++/tiny.yaml", LIDARGAITPP)
    tables = ["results/Scoliosis1K/ScoNet/report.csv", "results/FreeGait/LidarGait++/report.csv"]
    workspace.made(*tables)
    diagnoses, clouds = (rows_of(workspace, table) for table in tables)
    assert [probe for _, probe in diagnoses] == ["negative", "neutral", "positive", "mean"]
    assert diagnoses["diagnosis", "mean"]["n_probe"] == "3"
    assert modalities(workspace, "Scoliosis1K") == {"silhouettes", "pose", "skeleton_maps"}
    row = clouds["retrieval", "all"]
    assert int(row["n_probe"]) and row["rank1_pct"]
    assert modalities(workspace, "FreeGait") == {"points"}
    assert workspace.planned(*tables) == set()


def test_camera_and_lidar_of_sustech1k_are_paired_in_its_sync_form(
    fresh: Callable[[], Workspace],
) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    tree = workspace.root / "data/SUSTech1K/pkl"
    lay(tree, raw_pkl_trees.sustech1k_pkl())
    (workspace.root / "data/SUSTech1K-sync").mkdir()
    (workspace.root / "data/SUSTech1K-sync/pkl").symlink_to(tree)
    workspace.write("config/experiments/SUSTech1K-sync/LidarGait/tiny.yaml", LIDARGAIT)
    workspace.write("config/experiments/SUSTech1K-sync/GEI/baseline.yaml", {"iterations": 0})
    tables = [f"results/SUSTech1K-sync/{model}/report.csv" for model in ("LidarGait", "GEI")]
    workspace.made(*tables)
    for table in tables:
        row = rows_of(workspace, table)["single_view", "Overall"]
        assert (row["n_probe"], row["n_gallery"]) == ("4", "2")
