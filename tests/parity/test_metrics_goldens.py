"""Scores agree with the published evaluators on the same embeddings.

The vectors were made by running OpenGait's evaluation functions. Every retrieval protocol among
them is stated here as data, as a `dataset.yaml` would; none of them needs code of its own.
"""

from __future__ import annotations

import json
import re
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Protocol
from gait.evaluation import score_embeddings
from gait.evaluation.distance import part_distance
from gait.evaluation.ranking import rank

FOLDER = Path(__file__).parent / "goldens"
NOISE = {"GREW": 3.0}


def cases(file: str) -> dict[str, dict[str, Any]]:
    content = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return {case["name"]: case for case in content["cases"]}


FUNCTIONS = cases("metrics_functions.json")
DATASETS = cases("metrics_datasets.json")


def uniform(seed: str, shape: tuple[int, ...]) -> np.ndarray:
    seed = f"public-v1|metrics|{seed}"
    return np.random.Generator(np.random.PCG64(zlib.crc32(seed.encode()))).random(shape)


def symmetric(seed: str, shape: tuple[int, ...]) -> np.ndarray:
    return (2 * uniform(seed, shape) - 1) * np.sqrt(3)


def embedded(dataset: str, subjects: np.ndarray) -> np.ndarray:
    """A cloud around a centre of each subject, as the vectors' recipe has it."""
    names, index = np.unique(subjects, return_inverse=True)
    centres = symmetric(f"{dataset}|centers", (len(names), 8, 4))
    noise = symmetric(f"{dataset}|noise", (len(subjects), 8, 4))
    return (centres[index] + NOISE.get(dataset, 2.0) * noise).astype(np.float32)


def scored(case: dict[str, Any], records: list[tuple[str, str, str]], **protocols: Any) -> Any:
    subject, condition, view = (np.array(column) for column in zip(*records, strict=True))
    return score_embeddings(
        embedded(case["dataset"], subject),
        subject,
        condition,
        view,
        {name: Protocol(title=name, **each) for name, each in protocols.items()},
        distance="cosine" if case["arguments"].get("metric") == "cos" else "euclidean",
    )


def listed(text: str) -> list[list[str]]:
    """The lists written in a description of the order of the records."""
    return [re.findall(r"'([^']+)'", each) for each in re.findall(r"\[([^]]*)\]", text)]


def conditions(*names: str) -> dict[str, list[str]]:
    return {"condition": list(names)}


INDOOR: dict[str, dict[str, Any]] = {
    "CASIA-B": {
        "gallery": conditions("nm-01", "nm-02", "nm-03", "nm-04"),
        "probes": {
            "NM": conditions("nm-05", "nm-06"),
            "BG": conditions("bg-*"),
            "CL": conditions("cl-*"),
        },
    },
    "OUMVLP": {"gallery": conditions("01"), "probes": {"NM": conditions("00")}},
    "CASIA-E": {
        "gallery": conditions("?-scene1-nm-[12]") | {"view": ["000", "090", "180"]},
        "probes": {
            row: conditions(f"?-scene[23]-{kind}-[12]", f"?-scene3_s-{kind}-[12]")
            | {"view": ["000", "090", "180"]}
            for row, kind in {"NM": "nm", "BG": "bg", "CL": "cl"}.items()
        },
    },
    "SUSTech1K": {
        "gallery": conditions("00-nm"),
        "probes": {
            "Normal": conditions("01-nm"),
            "Bag": conditions("*-bg"),
            "Clothing": conditions("*-cl"),
            "Carrying": conditions("*-cr"),
            "Umberalla": conditions("*-ub"),
            "Uniform": conditions("*-uf"),
            "Occlusion": conditions("*-oc"),
            "Night": conditions("*-nt"),
            "Overall": conditions("01-*", "02-*", "03-*", "04-*"),
        },
        "ranks": [1, 2, 3, 4, 5],
    },
}
SINGLE = {"cells": "view_pair", "exclude": "identical_view", "round_cells": 2}
CROSS = {"cells": "probe_view", "exclude": "same_subject_view", "round_cells": 2}
INDOOR_CASES = {
    name: each for name, each in DATASETS.items() if each["function"] == "evaluate_indoor_dataset"
}
SINGLE_VIEW = [
    name for name, each in INDOOR_CASES.items() if "cross_view_gallery" not in each["arguments"]
]


@pytest.mark.parametrize("name", SINGLE_VIEW)
def test_single_view(name: str) -> None:
    case = DATASETS[name]
    records = list(product(*listed(case["records_order"])))
    sets = INDOOR[case["dataset"]]
    result = scored(case, records, single=sets | SINGLE)["single"]
    expected = {row: case["result"][f"scalar/test_accuracy/{row}@R1"] for row in sets["probes"]}
    got = {row: each.summary.rank_pct[1] for row, each in result.probes.items()}
    assert got == pytest.approx(expected, abs=1e-6)
    for line in case["log"]:
        for row, rank_, percent in re.findall(r"(\w+)@R(\d): ([\d.]+)%", line):
            assert result.probes[row].summary.rank_pct[int(rank_)] == pytest.approx(
                float(percent), abs=0.005001
            )


@pytest.mark.parametrize("name", ["CASIA-B single view euc", "CASIA-B single view cos"])
def test_rows_of_the_view_matrix(name: str) -> None:
    case = DATASETS[name]
    records = list(product(*listed(case["records_order"])))
    result = scored(case, records, single=INDOOR["CASIA-B"] | SINGLE)["single"]
    for line in case["log"][1:4]:
        row, means = re.fullmatch(r"(\w+)@R1: \[(.*)\]", line).groups()  # type: ignore[union-attr]
        cells = np.array(result.probes[row].cells.rank1_pct, float).reshape(3, 3)
        assert np.isnan(np.diag(cells)).all()
        np.testing.assert_allclose(
            np.nanmean(cells, axis=1), [float(each) for each in means.split()], atol=0.005001
        )


@pytest.mark.parametrize(
    "name", ["CASIA-B cross view euc", "CASIA-B cross view cos", "OUMVLP cross view"]
)
def test_cross_view_gallery(name: str) -> None:
    case = DATASETS[name]
    rows = {
        "CASIA-B": {
            "gallery": conditions("nm-02", "bg-02", "cl-02"),
            "probes": {row: conditions(f"{row.lower()}-01") for row in ("NM", "BG", "CL")},
        },
        "OUMVLP": INDOOR["OUMVLP"],
    }[case["dataset"]]
    records = list(product(*listed(case["records_order"])))
    result = scored(case, records, cross=rows | CROSS)["cross"]
    for row, each in result.probes.items():
        expected = {
            what: case["result"][f"scalar/test_accuracy/{row}-{what}"]
            for what in ("Rank@1", "mAP")
        }
        got = {"Rank@1": each.summary.rank_pct[1], "mAP": each.summary.map_pct}
        assert got == pytest.approx(expected, abs=1e-6)


CCPG = {
    "CL": (["U0_D0_BG", "U0_D0"], ["U1_D1", "U2_D2", "U3_D3"]),
    "UP": (["U3_D3"], ["U0_D3"]),
    "DN": (["U1_D0"], ["U1_D1"]),
    "BG": (["U0_D0_BG"], ["U0_D0"]),
}


@pytest.mark.parametrize("name", ["CCPG euc", "CCPG cos"])
def test_ccpg(name: str) -> None:
    case = DATASETS[name]
    orders = listed(case["records_order"])
    records = [
        (subject, condition, view.split("_")[0]) for subject, condition, view in product(*orders)
    ]
    protocols: dict[str, Any] = {}
    for setting, (probe, gallery) in CCPG.items():
        sets = {"gallery": conditions(*gallery), "probes": {setting: conditions(*probe)}}
        protocols[f"{setting} reid"] = sets | {
            "cells": "pooled",
            "exclude": "same_subject_view",
            "unmatched": "skip",
        }
        protocols[f"{setting} views"] = sets | {
            "cells": "view_pair",
            "exclude": "none",
            "round_cells": 2,
        }
    results = scored(case, records, **protocols)
    log = case["log"]
    for title, read in (
        ("===Rank-1 (Exclude identical-view cases for Person", lambda each: each.rank_pct[1]),
        ("===mAP", lambda each: each.map_pct),
        ("===mINP", lambda each: each.minp_pct),
    ):
        line = log[next(i for i, text in enumerate(log) if text.startswith(title)) + 1]
        expected = {row: float(value) for row, value in re.findall(r"(\w\w): ([\d.]+)", line)}
        got = {row: read(results[f"{row} reid"].probes[row].summary) for row in CCPG}
        assert got == pytest.approx(expected, abs=5.01e-4)
    for row in CCPG:
        cells = results[f"{row} views"].probes[row].cells.rank1_pct
        expected_cells = case["result"][f"scalar/test_accuracy/{row}"]
        np.testing.assert_allclose(np.reshape(cells, (3, 3)), expected_cells, atol=1e-9)


def test_real_scene() -> None:
    case = DATASETS["GREW real scene (train split style)"]
    records = [(f"{i:05d}", kind, "000") for i in range(24) for kind in ("01", "02")]
    result = scored(
        case,
        records,
        local={
            "gallery": conditions("01"),
            "probes": {"all": conditions("02")},
            "cells": "pooled",
            "exclude": "none",
            "ranks": [1, 5, 10, 20],
        },
    )["local"]
    got = result.probes["all"].summary.rank_pct
    expected = [float(each) for each in case["log"][1::2]]
    assert [got[k] for k in (1, 5, 10, 20)] == pytest.approx(expected, abs=0.005001)


LISTED = [name for name in DATASETS if name.split()[0] in ("Gait3D", "FreeGait", "CCGR-MINI")]


@pytest.mark.parametrize("name", LISTED)
def test_probe_lists(name: str) -> None:
    case = DATASETS[name]
    records = [
        (f"{i:04d}", f"camid{j}_videoid2", f"seq{i % 2}")
        for i in range(12)
        for j in range(1 if i == 2 else 2 + i % 3)
    ]
    result = scored(
        case,
        records,
        all={
            "gallery": conditions("camid[!0]_*"),
            "probes": {"all": conditions("camid0_*")},
            "cells": "pooled",
            "exclude": "none",
            "unmatched": "skip",
            "ranks": [1, 5, 10],
        },
    )["all"].probes["all"].summary  # fmt: skip
    got = {f"Rank-{k}": value for k, value in result.rank_pct.items()}
    got |= {"mAP": result.map_pct, "mINP": result.minp_pct}
    expected = {key.rsplit("/", 1)[1]: value for key, value in case["result"].items()}
    assert got == pytest.approx(expected, abs=1e-5)
    assert result.n_unmatched == 1


@pytest.mark.parametrize(("name", "metric"), [("euc", "euclidean"), ("cos", "cosine")])
def test_distances(name: str, metric: Any) -> None:
    probe = symmetric("dx", (4, 8, 3)).astype(np.float32)
    gallery = symmetric("dy", (5, 8, 3)).astype(np.float32)
    got = part_distance(probe, gallery, metric)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, FUNCTIONS[f"cuda_dist {name}"]["result"], rtol=1e-6)


PROBE_IDS, GALLERY_IDS = np.arange(7) % 5, (3 * np.arange(30) + 1) % 6
MATCH = PROBE_IDS[:, None] == GALLERY_IDS
SAME_CAMERA = (np.arange(7) % 3)[:, None] == (np.arange(30) // 2) % 3


def test_ranks_without_exclusion() -> None:
    result = FUNCTIONS["evaluate_rank"]["result"]
    ranking = rank(uniform("dist", (7, 30)).astype(np.float32), MATCH)
    found = ranking.first > 0
    np.testing.assert_allclose(ranking.average_precision[found], result["AP"], atol=1e-7)
    np.testing.assert_allclose(ranking.inverse_penalty[found], result["INP"], atol=1e-7)
    cmc = [(ranking.first[found] <= k).mean() for k in range(1, 21)]
    np.testing.assert_allclose(cmc, result["cmc"])
    # The other published function counts unmatched probes as wrong, but only in the ranks.
    result = FUNCTIONS["compute_ACC_mAP rank=5 without views"]["result"]
    within = found & (ranking.first <= 5)
    assert within.mean() == pytest.approx(result["ACC"], abs=1e-7)
    assert ranking.average_precision[found].mean() == pytest.approx(result["mAP"], abs=1e-7)


def test_ranks_with_exclusion() -> None:
    result = FUNCTIONS["evaluate_many"]["result"]
    distance = uniform("dist", (7, 30)).astype(np.float32)
    ranking = rank(distance, MATCH, MATCH & SAME_CAMERA)
    found = ranking.first > 0
    cmc = [(ranking.first[found] <= k).mean() for k in range(1, 21)]
    np.testing.assert_allclose(cmc, result["cmc"], atol=1e-7)
    assert ranking.average_precision[found].mean() == pytest.approx(result["mAP"], abs=1e-7)
    assert ranking.inverse_penalty[found].mean() == pytest.approx(result["mINP"], abs=1e-7)
    result = FUNCTIONS["compute_ACC_mAP (same identity and same view removed)"]["result"]
    assert (ranking.first == 1).mean() == pytest.approx(result["ACC"], abs=1e-7)
