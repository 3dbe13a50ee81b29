"""A small dataset to check, and the findings of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gait.config.dataset import Dataset
from gait.prepare.check.findings import Finding, Report

FRAMES = 6
SUBJECTS = ("001", "002", "003", "004")
CONDITIONS = ("nm-01", "nm-02", "bg-01")
VIEWS = ("000", "090")


def definition(**changes: object) -> Dataset:
    """A dataset that expects just these."""
    return Dataset.model_validate(
        {
            "name": "Toy",
            "title": "toy",
            "licence": "mine",
            "obtain": "ask the toy maker",
            "layouts": ["casia_b_silhouettes", "casia_b_videos"],
            "expected": {
                "subjects": 4,
                "sequences": 24,
                "views": "000 090",
                "conditions": {"nm-*": 4, "bg-*": 2},
            },
            "partition": {"train": ["001-002"], "test": ["003-004"]},
            "protocols": {},
        }
        | changes
    )


def png(value: int = 255) -> bytes:
    """A silhouette: a bar before black."""
    image = np.zeros((40, 30), np.uint8)
    image[5:35, 10:20] = value
    return bytes(cv2.imencode(".png", image)[1])


def the(report: Report, kind: str) -> Finding:
    """The one finding whose kind contains a text."""
    [found] = [each for each in report.findings if kind in each.kind]
    return found


def lay_silhouettes(root: Path) -> Path:
    """A whole dataset of silhouettes: 4 subjects, 3 conditions, 2 views, 6 frames each."""
    image = png()
    for subject in SUBJECTS:
        for condition in CONDITIONS:
            for view in VIEWS:
                folder = root / "raw" / subject / condition / view
                folder.mkdir(parents=True)
                for number in range(1, FRAMES + 1):
                    (folder / f"{number:03d}.png").write_bytes(image)
    return root
