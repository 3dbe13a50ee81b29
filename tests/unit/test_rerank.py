"""Re-ranking equals a walk through sets of neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from gait.evaluation import rerank as module
from gait.evaluation.rerank import rerank


def slow(distance: np.ndarray, probes: int, k1: int, k2: int, weight: float) -> np.ndarray:
    scaled = (distance / distance.max(axis=0)).T.astype(np.float64)
    order = np.argsort(scaled, axis=1, kind="stable")
    number = len(scaled)

    def mutual(i: int, k: int) -> set[int]:
        return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}

    vectors = np.zeros_like(scaled)
    for i in range(number):
        chosen = mutual(i, k1)
        for j in mutual(i, k1):
            others = mutual(j, round(k1 / 2))
            if len(others & mutual(i, k1)) > 2 / 3 * len(others):
                chosen |= others
        columns = sorted(chosen)
        vectors[i, columns] = np.exp(-scaled[i, columns])
        vectors[i] /= vectors[i].sum()
    if k2 > 1:
        vectors = np.array([vectors[order[i, :k2]].mean(axis=0) for i in range(number)])
    common = np.minimum(vectors[:probes, None], vectors[None, probes:]).sum(axis=2)
    jaccard = 1 - common / (2 - common)
    return (1 - weight) * jaccard + weight * scaled[:probes, probes:]


@pytest.mark.parametrize(
    ("number", "probes", "k1", "k2"),
    [(60, 25, 6, 6), (60, 1, 20, 6), (5, 2, 6, 6), (40, 39, 3, 1)],
)
@pytest.mark.parametrize("pairs", [1, 1 << 22])
def test_equals_a_slow_walk(
    number: int, probes: int, k1: int, k2: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", pairs)
    points = np.random.default_rng(number).standard_normal((number, 3))
    distance = np.linalg.norm(points[:, None] - points, axis=2).astype(np.float32)
    got = rerank(distance, probes, k1, k2, 0.3)
    assert got.shape == (probes, number - probes)
    np.testing.assert_allclose(got, slow(distance, probes, k1, k2, 0.3), atol=2e-6)


def test_sequences_at_one_place_are_no_trouble() -> None:
    assert np.isfinite(rerank(np.zeros((6, 6), np.float32), 2)).all()
