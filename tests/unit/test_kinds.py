"""Every kind of protocol, from embeddings to tables, terminal, page and figures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.dataset import Dataset
from gait.config.published import Published
from gait.config.resolved import Resolved
from gait.errors import DataError
from gait.evaluation import score
from gait.report import html_report, merge_tables, show
from gait.report.experiment import report
from tests.unit.scores import an_experiment, arrays, sealed_npz
from tests.unit.test_page import Page

PROTOCOLS: dict[str, Any] = {
    "single": {
        "title": "rank-1",
        "gallery": {"condition": ["nm-01"]},
        "probes": {"NM": {"condition": ["nm-02"]}, "CL": {"condition": ["cl-*"]}},
        "cells": "view_pair",
        "exclude": "identical_view",
    },
    "pairs": {"kind": "verification", "title": "pairs", "of": "single"},
    "submission": {
        "kind": "submission",
        "title": "for others",
        "gallery": {"condition": ["nm-01"]},
        "probes": {"condition": ["nm-02"], "subject": ["000"]},
        "columns": "video label",
    },
    "clothes": {"kind": "classification", "title": "what they wear"},
    "overlap": {"kind": "segmentation", "title": "silhouettes"},
}
CATEGORIES = {
    "nothing": {"condition": ["nm-01", "nm-02"]},
    "coat": {"condition": ["cl-*"]},
    "bag": {"condition": ["bg-*"]},
}
EMBEDDINGS = {
    "embedding": arrays()["embeddings"],
    "logits": np.random.default_rng(0).random((72, 3, 2)).astype(np.float32),
    "iou": np.full((72, 1, 1), 0.75, np.float32),
}


def an_experiment_on_all_kinds(output: str) -> Resolved:
    resolved = an_experiment(output=output)
    resolved = resolved.model_copy(update={"save_name": output})
    stated = resolved.dataset.model_dump(mode="json")
    figures = {"model": "GaitSet", "protocol": "submission", "rank1_pct": {"all": 48.4}}
    figures |= {"experiment": output, "table": "opengait"}
    dataset = Dataset.model_validate(
        stated
        | {
            "protocols": PROTOCOLS,
            "categories": CATEGORIES,
            "published": [{**figures, "source": "a paper"}],
        }
    )
    return resolved.model_copy(update={"dataset": dataset})


def tabulated(folder: Path, output: str) -> list[dict[str, str]]:
    resolved = an_experiment_on_all_kinds(output)
    given = arrays() | {"embeddings": EMBEDDINGS[output], "frames": np.full(72, 5)}
    folder.mkdir(parents=True)
    sealed_npz(folder / "embeddings.npz", **given)
    score(resolved, folder / "embeddings.npz", folder / "metrics.json")
    places = [folder / name for name in ("report.csv", "views.csv", "figures")]
    report(resolved, folder / "metrics.json", *places)
    with places[0].open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def filled(row: dict[str, str]) -> set[str]:
    always = {"dataset", "model", "save_name", "protocol", "probe", "iterations", "seed", "kind"}
    return {name for name, value in row.items() if value} - always


def test_compared_features_have_rows_of_three_kinds(tmp_path: Path) -> None:
    rows = tabulated(tmp_path / "one", "embedding")
    assert [(row["protocol"], row["probe"], row["kind"]) for row in rows] == [
        *(("single", probe, "retrieval") for probe in ("NM", "CL", "mean")),
        *(("pairs", probe, "verification") for probe in ("NM", "CL", "mean")),
        ("submission", "all", "submission"),
    ]
    single, pairs, submission = rows[0], rows[3], rows[6]
    ranked = {"rank1_pct", "rank5_pct", "map_pct", "minp_pct", "n_probe", "n_gallery"}
    assert filled(single) == ranked | {"rank1_ci_low_pct", "rank1_ci_high_pct"}
    # 24 probes and 16 items of the gallery in other views make 336 pairs of two subjects.
    assert filled(pairs) == {"eer_pct", "tar_far_1e_2_pct", "n_probe", "n_gallery"}
    assert filled(submission) == {
        "published_rank1_pct",
        "published_by",
        "n_probe",
        "n_gallery",
        "note",
    }
    assert submission["published_rank1_pct"] == "48.40"
    assert submission["note"] == "only its organisers can score it, from submission.csv"
    figures = {path.name for path in (tmp_path / "one" / "figures").iterdir()}
    assert figures == {"rank1.svg", "cmc.svg", "single-views.svg"}


def test_categories_have_a_row_each_and_the_accuracy_is_of_all(tmp_path: Path) -> None:
    rows = tabulated(tmp_path / "one", "logits")
    assert [row["probe"] for row in rows] == ["nothing", "coat", "bag", "mean"]
    nothing, _, bag, mean = rows
    told = {"precision_pct", "recall_pct", "f1_pct", "specificity_pct", "n_probe"}
    assert filled(nothing) == told
    assert filled(bag) == {"specificity_pct", "precision_pct", "f1_pct", "n_probe", "note"}
    assert (bag["n_probe"], bag["note"]) == ("0", "no sequence of the category bag")
    accuracy = {"accuracy_pct", "accuracy_ci_low_pct", "accuracy_ci_high_pct"}
    assert filled(mean) == told | accuracy
    assert [row["n_probe"] for row in rows] == ["48", "24", "0", "72"]
    figures = {path.name for path in (tmp_path / "one" / "figures").iterdir()}
    assert figures == {"clothes-confusion.svg"}
    assert (tmp_path / "one" / "views.csv").read_text().count("\n") == 1


def test_overlaps_have_one_row(tmp_path: Path) -> None:
    (row,) = tabulated(tmp_path / "one", "iou")
    assert filled(row) == {"miou_pct", "n_probe"}
    assert row["miou_pct"] == "75.00"


def test_terminal_and_page_show_every_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for output in EMBEDDINGS:
        tabulated(tmp_path / output, output)
    reports = [tmp_path / output / "report.csv" for output in EMBEDDINGS]
    merge_tables(reports, tmp_path / "report.csv", [])
    show(tmp_path / "report.csv")
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line.rstrip()) for line in lines if str(tmp_path) not in line) <= 100
    text = "\n".join(lines)
    html_report([*reports, tmp_path / "report.csv"], tmp_path / "report.html")
    read = " ".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).words)
    for expected in (
        "rank-1", "EER", "TAR at 1e-2", "accuracy", "sensitivity", "specificity", "mIoU", "75.00",
        "48.40", "only its organisers can score it", "no sequence of the category bag",
    ):  # fmt: skip
        assert expected in text, expected
        assert expected in read, expected
    assert "What is told of the sequences of each category, clothes" in read


def test_an_output_that_no_protocol_scores_is_told(tmp_path: Path) -> None:
    resolved = an_experiment(output="logits")
    sealed_npz(tmp_path / "embeddings.npz", **arrays())
    with pytest.raises(DataError, match="Toy: expected a protocol that scores the output 'log"):
        score(resolved, tmp_path / "embeddings.npz", tmp_path / "metrics.json")


@pytest.mark.parametrize(
    ("protocols", "categories", "message"),
    [
        ({"it": {"kind": "recall", "title": "a"}}, None, "expected kind: retrieval, verification"),
        ({"pairs": PROTOCOLS["pairs"]}, None, "no retrieval protocol is named 'single'"),
        ({"it": PROTOCOLS["clothes"]}, None, "it tells categories, and there are none"),
        ({"it": PROTOCOLS["submission"]}, None, "are called submission or submission-"),
        ({"submission": PROTOCOLS["single"]}, None, "is of the kind retrieval; submissions"),
    ],
)
def test_protocols_that_cannot_be(
    protocols: dict[str, Any], categories: Any, message: str
) -> None:
    stated = an_experiment().dataset.model_dump(mode="json")
    with pytest.raises(ValueError, match=message):
        Dataset.model_validate(stated | {"protocols": protocols, "categories": categories})


def test_what_others_refer_to_is_put_in_place_and_survives() -> None:
    dataset = an_experiment_on_all_kinds("embedding").dataset
    assert dataset.protocols["pairs"].of == dataset.protocols["single"]  # type: ignore[union-attr]
    assert list(dataset.protocols["clothes"].rows) == list(CATEGORIES)
    assert Dataset.model_validate(dataset.model_dump(mode="json")) == dataset
    with pytest.raises(ValueError, match="the protocol submission has no probe NM"):
        Dataset.model_validate(
            dataset.model_dump(mode="json")
            | {
                "published": [
                    Published(
                        model="x",
                        protocol="submission",
                        rank1_pct={"NM": 1.0},
                        table="others",
                        source="a paper",
                    ).model_dump()
                ]
            }
        )
