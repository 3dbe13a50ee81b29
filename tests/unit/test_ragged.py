"""Frames that differ in size, against lists of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.ragged import Ragged


def clouds(rng: np.random.Generator, dtype: Any = np.float32) -> list[NDArray[Any]]:
    """Between one and nine frames of up to twenty rows."""
    sizes = rng.integers(0, 20, rng.integers(1, 10))
    return [rng.normal(size=(size, 3)).astype(dtype) for size in sizes]


def same(found: Ragged, expected: list[NDArray[Any]]) -> None:
    """The same rows in the same frames."""
    assert len(found) == len(expected)
    for one, other in zip(found.split(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(20))
def test_frames_are_chosen_as_of_a_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = clouds(rng)
    ragged = Ragged.of(frames)
    same(ragged, frames)
    chosen = rng.integers(len(frames), size=12)
    some = ragged[chosen]
    expected = [frames[each] for each in chosen]
    same(some, expected)
    assert some.rows is ragged.rows
    gathered = some.gathered()
    same(gathered, expected)
    np.testing.assert_array_equal(gathered.rows, np.concatenate(expected))
    same(some[2:9:3], expected[2:9:3])
    same(ragged[::-1].gathered()[1:], frames[::-1][1:])


def test_an_array_is_as_many_frames_of_one_size() -> None:
    frames = np.random.default_rng(0).normal(size=(4, 7, 3))
    same(Ragged.of(frames), list(frames))


def test_only_the_rows_of_the_frames_are_converted() -> None:
    frames = clouds(np.random.default_rng(3), np.float64)
    some = Ragged.of(frames)[:2]
    assert some.astype(np.float64, copy=False) is some
    converted = some.astype(np.float32)
    assert converted.dtype == np.float32 and len(converted.rows) == converted.counts.sum()
    same(converted, [each.astype(np.float32) for each in frames[:2]])
