"""Scores agree with the published evaluators on the same embeddings.

The vectors were made by running OpenGait's evaluation functions. The protocols are those of the
datasets' own files; none of them needs code of its own.
"""

from __future__ import annotations

import json
import re
import zlib
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.load import load_dataset
from gait.config.protocol import Protocol
from gait.evaluation import score_embeddings
from gait.evaluation.distance import part_distance
from gait.evaluation.ranking import rank

FOLDER = Path(__file__).parent / "goldens"
REPOSITORY = Path(__file__).parents[2]
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


def scored(
    case: dict[str, Any], records: list[tuple[str, str, str]], protocols: dict[str, Protocol]
) -> Any:
    subject, condition, view = (np.array(column) for column in zip(*records, strict=True))
    return score_embeddings(
        embedded(case["dataset"], subject),
        subject,
        condition,
        view,
        protocols,
        distance="cosine" if case["arguments"].get("metric") == "cos" else "euclidean",
    )


def protocols_of(case: dict[str, Any]) -> dict[str, Protocol]:
    return load_dataset(REPOSITORY, case["dataset"])[0].protocols


def listed(text: str) -> list[list[str]]:
    """The lists written in a description of the order of the records."""
    return [re.findall(r"'([^']+)'", each) for each in re.findall(r"\[([^]]*)\]", text)]


INDOOR_CASES = {
    name: each for name, each in DATASETS.items() if each["function"] == "evaluate_indoor_dataset"
}
SINGLE_VIEW = [
    name for name, each in INDOOR_CASES.items() if "cross_view_gallery" not in each["arguments"]
]


# Spelt otherwise there.
ROWS = {"Umbrella": "Umberalla"}


@pytest.mark.parametrize("name", SINGLE_VIEW)
def test_single_view(name: str) -> None:
    case = DATASETS[name]
    records = list(product(*listed(case["records_order"])))
    protocol = protocols_of(case)["single_view"]
    result = scored(case, records, {"single": protocol})["single"]
    theirs = {ROWS.get(row, row): each.summary.rank_pct for row, each in result.probes.items()}
    expected = {row: case["result"][f"scalar/test_accuracy/{row}@R1"] for row in theirs}
    assert len(expected) == len(case["result"])
    assert {row: each[1] for row, each in theirs.items()} == pytest.approx(expected, abs=1e-6)
    for line in case["log"]:
        for row, rank_, percent in re.findall(r"(\w+)@R(\d): ([\d.]+)%", line):
            assert theirs[row][int(rank_)] == pytest.approx(float(percent), abs=0.005001)


@pytest.mark.parametrize("name", ["CASIA-B single view euc", "CASIA-B single view cos"])
def test_rows_of_the_view_matrix(name: str) -> None:
    case = DATASETS[name]
    records = list(product(*listed(case["records_order"])))
    result = scored(case, records, {"single": protocols_of(case)["single_view"]})["single"]
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
    records = list(product(*listed(case["records_order"])))
    result = scored(case, records, {"cross": protocols_of(case)["cross_view_gallery"]})["cross"]
    for row, each in result.probes.items():
        expected = {
            what: case["result"][f"scalar/test_accuracy/{row}-{what}"]
            for what in ("Rank@1", "mAP")
        }
        got = {"Rank@1": each.summary.rank_pct[1], "mAP": each.summary.map_pct}
        assert got == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["CCPG euc", "CCPG cos"])
def test_ccpg(name: str) -> None:
    case = DATASETS[name]
    results = scored(case, list(product(*listed(case["records_order"]))), protocols_of(case))

    def logged(title: str) -> dict[str, float]:
        line = next(after for text, after in pairwise(case["log"]) if text.startswith(title))
        return {row: float(value) for row, value in re.findall(r"(\w\w): ([\d.]+)", line)}

    def got(protocol: str, read: Any) -> dict[str, float]:
        return {row: read(each.summary) for row, each in results[protocol].probes.items()}

    for title, protocol, read in (
        (
            "===Rank-1 (Exclude identical-view cases for Person",
            "reid",
            lambda each: each.rank_pct[1],
        ),
        ("===mAP", "reid", lambda each: each.map_pct),
        ("===mINP", "reid", lambda each: each.minp_pct),
        ("===Rank-1 (Include", "all_views", lambda each: each.rank_pct[1]),
        ("===Rank-1 (Exclude identical-view cases)", "single_view", lambda each: each.rank_pct[1]),
    ):
        expected = logged(title)
        assert set(expected) == {"CL", "UP", "DN", "BG"}
        assert got(protocol, read) == pytest.approx(expected, abs=5.01e-4)
    for row, each in results["all_views"].probes.items():
        expected_cells = case["result"][f"scalar/test_accuracy/{row}"]
        np.testing.assert_allclose(
            np.reshape(each.cells.rank1_pct, (3, 3)), expected_cells, atol=1e-9
        )


def test_real_scene() -> None:
    case = DATASETS["GREW real scene (train split style)"]
    records = [(f"{i:05d}", kind, "000") for i in range(24) for kind in ("01", "02")]
    local = {"local": protocols_of(case)["local"]}
    got = scored(case, records, local)["local"].probes["all"].summary.rank_pct
    expected = [float(each) for each in case["log"][1::2]]
    assert [got[k] for k in (1, 5, 10, 20)] == pytest.approx(expected, abs=1e-9)


LISTED = [name for name in DATASETS if name.split()[0] in ("Gait3D", "FreeGait", "CCGR-MINI")]


@pytest.mark.parametrize("name", LISTED)
def test_probe_lists(name: str) -> None:
    case = DATASETS[name]
    records = [
        (f"{i:04d}", f"camid{j}_videoid2", f"seq{i % 2}")
        for i in range(12)
        for j in range(1 if i == 2 else 2 + i % 3)
    ]
    retrieval = protocols_of(case)["retrieval"]
    assert retrieval.gallery is not None
    lists = {"gallery": retrieval.gallery, "probes": retrieval.probes["all"]}
    # These subjects are nobody's: in the place of the dataset's list stands one of them.
    (which,) = [name for name, each in lists.items() if each.sequences is not None]
    keys = ["/".join(each) for each in records if ("camid0_" in each[1]) == (which == "probes")]
    chosen = lists[which].model_copy(update={"sequences": keys})
    changed = {"gallery": chosen} if which == "gallery" else {"probes": {"all": chosen}}
    protocol = retrieval.model_copy(update=changed)
    result = scored(case, records, {"retrieval": protocol})["retrieval"].probes["all"].summary
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
