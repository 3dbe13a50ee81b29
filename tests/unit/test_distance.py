"""Part distances equal their definition, however the work is cut."""

from __future__ import annotations

import numpy as np
import pytest

from gait.evaluation import distance as module
from gait.evaluation.distance import Metric, distance_blocks, part_distance


def slow(probe: np.ndarray, gallery: np.ndarray, metric: Metric) -> np.ndarray:
    """The definition, pair by pair, in float64."""
    result = np.empty((len(probe), len(gallery)))
    for i, x in enumerate(probe.astype(np.float64)):
        for j, y in enumerate(gallery.astype(np.float64)):
            if metric == "euclidean":
                result[i, j] = np.mean(
                    [np.linalg.norm(x[:, p] - y[:, p]) for p in range(x.shape[1])]
                )
            else:
                lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
                result[i, j] = 1 - np.mean((x * y).sum(axis=0) / np.maximum(lengths, 1e-12))
    return result


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equals_the_definition(metric: Metric) -> None:
    probe, gallery = random(7, 6, 3), random(11, 6, 3, seed=1)
    got = part_distance(probe, gallery, metric)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, slow(probe, gallery, metric), atol=2e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_hand_worked_case(metric: Metric) -> None:
    # One vector of two parts against another: 3-4-5 in the first part, equal in the second.
    probe = np.array([[[3.0, 1.0], [0.0, 0.0]]], np.float32)
    gallery = np.array([[[0.0, 1.0], [4.0, 0.0]]], np.float32)
    expected = {"euclidean": (5 + 0) / 2, "cosine": 1 - (0 + 1) / 2}[metric]
    assert part_distance(probe, gallery, metric)[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_blocks_and_tiles_change_nothing(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = random(40, 6, 3)
    probes, gallery = np.arange(0, 40, 2), np.arange(1, 40, 3)
    whole = part_distance(embeddings[probes], embeddings[gallery], metric)
    monkeypatch.setattr(module, "_TILE", 4)
    rows = [
        (part, block.copy())
        for part, block in distance_blocks(embeddings, probes, gallery, metric, block_bytes=200)
    ]
    assert len(rows) > 3
    assert [part.start for part, _ in rows] == list(range(0, 20, rows[0][0].stop))
    np.testing.assert_allclose(np.concatenate([block for _, block in rows]), whole, atol=1e-6)


def test_a_block_stays_within_its_bytes() -> None:
    embeddings = random(300, 2, 1)
    every = np.arange(300)
    sizes = [
        block.nbytes for _, block in distance_blocks(embeddings, every, every, block_bytes=12_000)
    ]
    assert max(sizes) <= 12_000 and len(sizes) == 30


def test_an_embedding_is_near_itself_and_a_zero_one_is_defined() -> None:
    embeddings = random(5, 256, 4) * 10
    assert np.diag(part_distance(embeddings, embeddings)).max() < 0.2
    zero = np.zeros((1, 6, 3), np.float32)
    assert part_distance(zero, random(2, 6, 3), "cosine").tolist() == [[1.0, 1.0]]
    assert part_distance(zero, zero).tolist() == [[0.0]]


def test_a_memory_map_is_read(tmp_path: pytest.TempPathFactory) -> None:
    embeddings = random(10, 6, 3)
    np.save(f"{tmp_path}/x.npy", embeddings)
    mapped = np.load(f"{tmp_path}/x.npy", mmap_mode="r")
    every = np.arange(10)
    ((_, block),) = distance_blocks(mapped, every, every)
    np.testing.assert_array_equal(block, part_distance(embeddings, embeddings))


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 6, 3\) and \(2, 6, 4\)"):
        part_distance(random(2, 6, 3), random(2, 6, 4))
