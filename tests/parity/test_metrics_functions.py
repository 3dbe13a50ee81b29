"""Figures beside those of retrieval agree with the published functions on the same inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gait.config.load import load_dataset
from gait.evaluation import score_embeddings
from gait.evaluation.rerank import rerank
from gait.layers.overlap import intersection_over_union
from tests.parity.test_metrics_goldens import (
    DATASETS,
    FUNCTIONS,
    REPOSITORY,
    embedded,
    symmetric,
    uniform,
)


def test_classification() -> None:
    case = DATASETS["Scoliosis1K classification"]
    expected = np.array([(7 * i + i // 5) % 3 for i in range(40)])
    logits = 0.5 * symmetric("scoliosis", (40, 3, 16))
    logits[np.arange(40), expected] += 0.12
    subject = np.array([f"{number:05d}" for number in range(40)])
    score = score_embeddings(
        logits.astype(np.float32),
        subject,
        np.array(["negative", "Neutral", "Positive"])[expected],
        np.full(40, "000_180"),
        load_dataset(REPOSITORY, "Scoliosis1K")[0].protocols,
    )["diagnosis"]
    for name in ("accuracy", "precision", "recall", "f1"):
        theirs = case["result"][f"scalar/test_{name}/"]
        assert getattr(score, f"{name}_pct") / 100 == pytest.approx(theirs, abs=1e-7)


def test_intersection_over_union() -> None:
    shape = (5, 1, 9, 7)
    masks = (uniform("iou_a", shape) > 0.4, uniform("iou_b", shape) > 0.6)
    got = intersection_over_union(*(torch.from_numpy(each).float() for each in masks))
    np.testing.assert_allclose(got, FUNCTIONS["mean_iou"]["result"], rtol=1e-6)


@pytest.mark.parametrize(("k1", "k2", "weight"), [(6, 6, 0.3), (5, 1, 0.1)])
def test_reranking(k1: int, k2: int, weight: float) -> None:
    name = f"re_ranking k1={k1} k2={k2} lambda={weight}, 6 queries + 10 gallery"
    vectors = symmetric("rerank", (16, 6))
    distance = np.linalg.norm(vectors[:, None] - vectors, axis=2).astype(np.float32)
    got = rerank(distance, 6, k1, k2, weight)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, FUNCTIONS[name]["result"], atol=1e-3)


@pytest.mark.parametrize("name", ["submission", "submission-reranked"])
@pytest.mark.parametrize("in_view", [True, False])
def test_hid_submission(name: str, in_view: bool) -> None:
    case = DATASETS[f"HID submission rerank={name == 'submission-reranked'}"]
    centres = symmetric("HID_g|centers", (10, 8, 4))
    gallery = np.repeat(centres, 3, axis=0) + symmetric("HID_g|noise", (30, 8, 4))
    probes = np.tile(centres, (2, 1, 1)) + 2 * symmetric("HID_p|noise", (20, 8, 4))
    videos = [f"video{number:02d}" for number in range(20)]
    labels = [str(number // 3) for number in range(30)]
    names = [f"{label}_{number % 3}" for number, label in enumerate(labels)] + videos
    other = np.full(50, "default")
    score = score_embeddings(
        np.concatenate([gallery, probes]).astype(np.float32),
        np.array(labels + ["probe"] * 20),
        other if in_view else np.array(names),
        np.array(names) if in_view else other,
        load_dataset(REPOSITORY, "HID2022")[0].protocols,
    )[name]
    assert score.lines == case["rows"]
    assert (score.n_probe, score.n_gallery, score.note) == (20, 30, "")


def test_grew_submission() -> None:
    case = DATASETS["GREW submission"]
    people = np.repeat(np.arange(100, 118), 3)
    condition = np.tile(["01", "02", "03"], 18)
    is_probe = condition == "03"
    score = score_embeddings(
        embedded("GREW_sub", people),
        # Written with zeros in front on the disk, and without in the file.
        np.where(is_probe, "probe", [f"{each:05d}" for each in people]),
        condition,
        np.where(is_probe, [f"probe{each}" for each in people], "v"),
        {"submission": load_dataset(REPOSITORY, "GREW")[0].protocols["submission"]},
    )["submission"]
    assert len(score.lines) == 1 + case["number_of_rows"]
    assert score.lines[: len(case["first_rows"])] == case["first_rows"]
