"""One definition of CASIA-B, both of its raw forms, the user's own command."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import cv2
import pytest

from gait.prepare.silhouettes.masks import load_masks
from tests.workflow.workspace import EXPERIMENT, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

TABLE = "results/CASIA-B/GaitSet/report.csv"
# Rendered subjects take the numbers of CASIA-B's training and test sets.
NUMBERS = {"001": "001", "002": "002", "003": "074", "004": "075", "005": "080", "006": "124"}


def shortened(workspace: Workspace) -> Workspace:
    workspace.experiment("CASIA-B/GaitSet/paper", **EXPERIMENT)
    return workspace


def from_videos(workspace: Workspace, rendered: Path) -> None:
    raw = workspace.root / "data/CASIA-B/raw/DatasetB"
    raw.mkdir(parents=True)
    for video in rendered.glob("*.avi"):
        (raw / f"{NUMBERS[video.name[:3]]}{video.name[3:]}").write_bytes(video.read_bytes())


def silhouettes(masks: Path) -> Iterator[tuple[str, bytes]]:
    """Names and PNG bytes as CASIA-B distributes its silhouettes, subject by subject."""
    for path in sorted(masks.glob("*/*/*.npz")):
        key = (*path.parts[-3:-1], path.stem)
        found = load_masks(path)
        for number, mask in zip(found.frames, found.masks, strict=True):
            name = "/".join(key) + f"/{'-'.join(key)}-{number + 1:03d}.png"
            yield name, cv2.imencode(".png", mask)[1].tobytes()


def as_tree(raw: Path, masks: Path) -> None:
    for name, png in silhouettes(masks):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(png)


def as_archives(raw: Path, masks: Path) -> None:
    raw.mkdir(parents=True)
    for subject, files in groupby(silhouettes(masks), key=lambda each: each[0][:3]):
        with tarfile.open(raw / f"{subject}.tar.gz", "w:gz") as archive:
            for name, png in files:
                member = tarfile.TarInfo(name)
                member.size = len(png)
                archive.addfile(member, io.BytesIO(png))


def pkl_files(workspace: Workspace) -> dict[str, bytes]:
    root = workspace.root / "data/CASIA-B/pkl"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.pkl")}


def test_videos_images_and_archives_give_the_same_table(
    finished_once: Workspace, fresh: Callable[[], Workspace]
) -> None:
    videos = shortened(fresh())
    from_videos(videos, finished_once.root / "data/SynthGait/raw")
    run = videos.made(TABLE)
    assert "segment" in run.rules()
    with (videos.root / TABLE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    protocols = {"single_view", "cross_view_gallery", "verification"}
    assert {row["protocol"] for row in rows} == protocols
    assert {row["published_rank1_pct"] for row in rows if row["probe"] == "NM"} >= {"95.80"}

    masks = videos.root / "data/CASIA-B/silhouettes"
    for lay in (as_tree, as_archives):
        images = shortened(fresh())
        lay(images.root / "data/CASIA-B/raw", masks)
        run = images.made(TABLE)
        assert "segment" not in run.rules()
        assert pkl_files(images) == pkl_files(videos)
        assert images.bytes_of(TABLE) == videos.bytes_of(TABLE)
