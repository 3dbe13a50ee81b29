"""Keys of a dataset that no other test looks at: names, figures, populations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest

from gait.config.dataset import Dataset, Population
from gait.config.published import Published
from gait.report.datasets import datasets_page
from gait.report.metrics import Metrics
from gait.report.tables import report_rows
from gait.synthgait.population import synthesize
from tests.unit.scores import metrics
from tests.unit.test_kinds import CATEGORIES, PROTOCOLS


def toy(**changes: Any) -> Dataset:
    stated = {
        "name": "Toy",
        "title": "walkers of wood",
        "licence": "free for all",
        "obtain": "ask the toy maker",
        "layouts": [],
        "partition": {"train": ["001"], "test": ["002"]},
        "protocols": PROTOCOLS,
        "categories": CATEGORIES,
    }
    return Dataset.model_validate(stated | changes)


def test_the_page_shows_what_only_names_things() -> None:
    text = datasets_page([toy()])
    assert "\n### Toy\n\nwalkers of wood. Ask the toy maker.\n" in text
    assert "\nLicence: Free for all.\n" in text
    listed = ", ".join(f"`{name}` ({each['title']})" for name, each in PROTOCOLS.items())
    assert f"\nProtocols: {listed}.\n" in text
    assert len({each["title"] for each in PROTOCOLS.values()}) == 5


def test_a_published_figure_stands_beside_its_model_protocol_and_probe() -> None:
    read = Metrics.model_validate(metrics())

    def shown(model: str, protocol: str, **figures: float) -> dict[str, str]:
        stated = {"model": model, "protocol": protocol, "rank1_pct": figures}
        given = Published.model_validate(stated | {"table": "others", "source": "a paper"})
        return {row.probe: row.published_rank1_pct for row in report_rows(read, [given])}

    nothing = {"NM": "", "CL": "", "mean": ""}
    assert shown("GaitSet", "single_view", NM=95.0, CL=70.5) == {
        "NM": "95.00",
        "CL": "70.50",
        "mean": "82.75",
    }
    assert shown("GaitBase", "single_view", NM=95.0) == nothing
    assert shown("GaitSet", "cross_view", NM=95.0) == nothing


@pytest.mark.parametrize(
    "changes",
    [
        {"subjects": 2},
        {"views_deg": [0, 90]},
        {"sequences": {"nm": 1, "cl": 2}},
        {"width_px": 96},
        {"height_px": 64},
        {"fps": 20.0},
        {"duration_s": 1.0},
    ],
    ids=str,
)
def test_a_population_is_rendered_as_it_is_described(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    usual: dict[str, Any] = {
        "subjects": 1,
        "views_deg": [90],
        "sequences": {"nm": 1},
        "width_px": 64,
        "height_px": 48,
        "fps": 10.0,
        "duration_s": 0.5,
    }

    def videos(folder: Path, population: dict[str, Any]) -> dict[str, list[float]]:
        synthesize(folder, Population(**population))
        found = {}
        for path in sorted(folder.glob("*-[nc][ml]-*.avi")):
            video = cv2.VideoCapture(str(path))
            found[path.name] = [
                video.get(each)
                for each in (
                    cv2.CAP_PROP_FRAME_WIDTH,
                    cv2.CAP_PROP_FRAME_HEIGHT,
                    cv2.CAP_PROP_FPS,
                    cv2.CAP_PROP_FRAME_COUNT,
                )
            ]
        return found

    whole = usual | changes
    found = videos(tmp_path, whole)
    assert set(found) == {
        f"{subject:03d}-{kind}-{number + 1:02d}-{view:03d}.avi"
        for subject in range(1, whole["subjects"] + 1)
        for kind, count in whole["sequences"].items()
        for number in range(count)
        for view in whole["views_deg"]
    }
    for width, height, fps, frames in found.values():
        assert [width, height, fps] == [whole["width_px"], whole["height_px"], whole["fps"]]
        # The walker's own cadence makes a clip longer or shorter by a quarter at most.
        assert frames == pytest.approx(whole["fps"] * whole["duration_s"], rel=0.25, abs=1)
