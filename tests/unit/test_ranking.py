"""Ranks, average precision and inverse penalty equal a walk through the sorted gallery."""

from __future__ import annotations

import numpy as np
import pytest

from gait.evaluation import ranking as module
from gait.evaluation.ranking import rank


def slow(
    distance: np.ndarray, match: np.ndarray, excluded: np.ndarray
) -> list[tuple[int, float, float, int]]:
    """First rank, average precision, inverse penalty and size of the gallery, row by row."""
    rows = []
    for row, right, out in zip(distance, match, excluded, strict=True):
        kept = [j for j in range(len(row)) if not out[j]]
        order = sorted(kept, key=lambda j, row=row: (row[j], j))
        places = [place for place, j in enumerate(order, 1) if right[j]]
        precisions = [number / place for number, place in enumerate(places, 1)]
        rows.append(
            (places[0], sum(precisions) / len(places), len(places) / places[-1], len(kept))
            if places
            else (0, 0.0, 0.0, len(kept))
        )
    return rows


def check(distance: np.ndarray, match: np.ndarray, excluded: np.ndarray | None) -> None:
    got = rank(distance, match, excluded)
    left_out = np.zeros_like(match) if excluded is None else excluded
    first, precision, penalty, compared = zip(*slow(distance, match, left_out), strict=True)
    assert got.first.tolist() == list(first)
    assert got.compared.tolist() == list(compared)
    np.testing.assert_allclose(got.average_precision, precision, rtol=1e-12)
    np.testing.assert_allclose(got.inverse_penalty, penalty, rtol=1e-12)


def test_in_an_empty_gallery_nothing_is_found() -> None:
    nothing = np.zeros((3, 0), np.float32)
    for excluded in (None, nothing > 0):
        check(nothing, nothing > 0, excluded)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("exclusions", [False, True])
@pytest.mark.parametrize("keys_at_once", [1, 1 << 17])
def test_equals_a_slow_walk(
    ties: bool, exclusions: bool, keys_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEYS_AT_ONCE", keys_at_once)
    generator = np.random.default_rng(3)
    distance = generator.random((40, 23), np.float32)
    if ties:
        distance = np.round(distance * 4)
    match = generator.random((40, 23)) < 0.15
    match[::7] = False
    excluded = generator.random((40, 23)) < 0.3 if exclusions else None
    check(distance.astype(np.float32), match, excluded)


def test_a_hand_worked_case() -> None:
    # Order of the gallery: 2 (match), 0, 3 (match), 1.
    ranking = rank(
        np.array([[0.5, 0.9, 0.1, 0.7]], np.float32), np.array([[False, False, True, True]])
    )
    assert ranking.first.tolist() == [1]
    assert ranking.average_precision.tolist() == [(1 / 1 + 2 / 3) / 2]
    assert ranking.inverse_penalty.tolist() == [2 / 3]


def test_a_tie_counts_in_gallery_order() -> None:
    distance = np.full((2, 3), 0.25, np.float32)
    match = np.array([[False, True, False], [True, False, False]])
    assert rank(distance, match).first.tolist() == [2, 1]


def test_negative_distances_and_both_zeros() -> None:
    # One minus a cosine can come out a little below zero; minus zero ties with zero.
    distance = np.array([[0.0, -1e-7, -0.0, 1e-7]], np.float32)
    for column, place in enumerate([2, 1, 3, 4]):
        match = np.zeros((1, 4), bool)
        match[0, column] = True
        assert rank(distance, match).first.tolist() == [place]


def test_nothing_left_and_nothing_there() -> None:
    everything = np.ones((1, 3), bool)
    ranking = rank(np.ones((1, 3), np.float32), everything, everything)
    assert (ranking.first[0], ranking.compared[0]) == (0, 0)
    assert ranking.average_precision.tolist() == ranking.inverse_penalty.tolist() == [0.0]
    empty = rank(np.ones((0, 3), np.float32), np.ones((0, 3), bool))
    assert empty.first.shape == (0,)
