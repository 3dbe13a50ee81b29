"""Gait3D in its own layout, silhouettes, body models, poses and parsing maps, to a table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.formats.manifest import read_manifest
from tests.workflow.workspace import EXPERIMENT, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

TABLE = "results/Gait3D/SMPLGait/report.csv"
SUBJECTS = ["0000", "0001", "0003", "0002", "0005", "0007"]
FRAMES = 8


def gait3d(raw: Path) -> None:
    """Two sequences a subject; of each the second frame lacks its pose."""
    rng = np.random.default_rng(0)
    for subject in SUBJECTS:
        for video in range(2):
            sequence = f"{subject}/camid{video}_videoid2/seq{video}"
            folders = {
                name: raw / name / sequence for name in ("", "2D_Parsings", "2D_Poses", "3D_SMPLs")
            }
            for folder in folders.values():
                folder.mkdir(parents=True)
            for number in range(FRAMES):
                figure = np.zeros((90, 60), np.uint8)
                size = (8 + int(subject) + number % 3, 38)
                cv2.ellipse(figure, (30, 45), size, 0, 0, 360, 255, -1)
                stem = f"human_crop_f{number}"
                assert cv2.imwrite(str(folders[""] / f"{stem}.png"), figure)
                assert cv2.imwrite(str(folders["2D_Parsings"] / f"{stem}.png"), figure // 51)
                person = {
                    part: rng.random(count, np.float32)
                    for part, count in (("cam", 3), ("poses", 72), ("betas", 10))
                }
                np.savez(folders["3D_SMPLs"] / f"{stem}.npz", results={0: person})  # type: ignore[arg-type]
                if number != 1:
                    joints = rng.uniform(1, 60, 51).tolist()
                    text = ",".join(map(str, [60, 90, *joints]))
                    (folders["2D_Poses"] / f"{stem}.txt").write_text(text)


def test_from_what_gait3d_gives_to_its_table(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    gait3d(workspace.root / "data/Gait3D/raw")
    probes = [f"{subject}/camid0_videoid2/seq0" for subject in SUBJECTS[3:]]
    partition = {"train": SUBJECTS[:3], "test": SUBJECTS[3:], "sequences": {"probes": probes}}
    workspace.write("datasets/Gait3D/partition.yaml", partition)
    model = {"backbone": {"layers": ["BC-4", "M", "BC-8", "M", "BC-8"]}, "embedding_channels": 8}
    workspace.experiment("Gait3D/SMPLGait/paper", **EXPERIMENT | {"model": model})
    workspace.made(TABLE)
    with (workspace.root / TABLE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["n_probe"] for row in rows if row["probe"] == "all"] == ["3"]
    manifest = read_manifest(workspace.root / "data/Gait3D/manifest.csv")
    assert {row.modality for row in manifest} == {
        "parsing",
        "pose",
        "silhouettes",
        "skeleton_maps",
        "smpl",
    }
    assert {(row.frames_kept, *row.dropped.items()) for row in manifest} == {(7, ("no pose", 1))}
    assert workspace.planned(TABLE) == set()

    pose = workspace.root / "data/Gait3D/raw/2D_Poses/0007/camid0_videoid2/seq0/human_crop_f1.txt"
    pose.write_text(pose.with_name("human_crop_f2.txt").read_text())
    planned = workspace.planned(TABLE)
    assert len({job for job in planned if job.startswith("pretreat ")}) == 1
