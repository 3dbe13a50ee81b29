"""Figures beside those of retrieval agree with the published functions on the same inputs."""

from __future__ import annotations

import numpy as np
import pytest

from gait.evaluation.classification import classification_score, predicted
from gait.evaluation.distance import part_distance
from gait.evaluation.rerank import rerank
from gait.evaluation.segmentation import mean_iou
from tests.parity.test_metrics_goldens import DATASETS, FUNCTIONS, symmetric, uniform


def test_classification() -> None:
    case = DATASETS["Scoliosis1K classification"]
    expected = np.array([(7 * i + i // 5) % 3 for i in range(40)])
    logits = 0.5 * symmetric("scoliosis", (40, 3, 16))
    logits[np.arange(40), expected] += 0.12
    score = classification_score(predicted(logits.astype(np.float32)), expected)
    for name in ("accuracy", "precision", "recall", "f1"):
        theirs = case["result"][f"scalar/test_{name}/"]
        assert getattr(score, f"{name}_pct") / 100 == pytest.approx(theirs, abs=1e-7)


def test_intersection_over_union() -> None:
    shape = (5, 1, 9, 7)
    got = mean_iou(uniform("iou_a", shape) > 0.4, uniform("iou_b", shape) > 0.6)
    np.testing.assert_allclose(got, FUNCTIONS["mean_iou"]["result"], rtol=1e-6)


@pytest.mark.parametrize(("k1", "k2", "weight"), [(6, 6, 0.3), (5, 1, 0.1)])
def test_reranking(k1: int, k2: int, weight: float) -> None:
    name = f"re_ranking k1={k1} k2={k2} lambda={weight}, 6 queries + 10 gallery"
    vectors = symmetric("rerank", (16, 6))
    distance = np.linalg.norm(vectors[:, None] - vectors, axis=2).astype(np.float32)
    got = rerank(distance, 6, k1, k2, weight)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, FUNCTIONS[name]["result"], atol=1e-3)


@pytest.mark.parametrize("reranked", [True, False])
def test_the_nearest_of_the_gallery_before_and_after_reranking(reranked: bool) -> None:
    case = DATASETS[f"HID submission rerank={reranked}"]
    centres = symmetric("HID_g|centers", (10, 8, 4))
    gallery = np.repeat(centres, 3, axis=0) + symmetric("HID_g|noise", (30, 8, 4))
    probes = np.tile(centres, (2, 1, 1)) + 2 * symmetric("HID_p|noise", (20, 8, 4))
    both = np.concatenate([probes, gallery]).astype(np.float32)
    distance = part_distance(both, both)
    distance = rerank(distance, len(probes)) if reranked else distance[:20, 20:]
    labels = [str(nearest // 3) for nearest in distance.argmin(axis=1)]
    assert labels == [row.split(",")[1] for row in case["rows"][1:]]
