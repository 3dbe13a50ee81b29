"""Which frames of a sequence are drawn, and the keys of random generators."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gait.config.experiment import Frames
from gait.data.sampling import keyed, sample_frames


def draw(length: int, position: int = 0, **settings: Any) -> npt.NDArray[np.int64]:
    positions = sample_frames(length, Frames(**settings), keyed(0, position, 1))
    assert isinstance(positions, np.ndarray)
    assert positions.dtype == np.int64
    assert positions.min() >= 0 and positions.max() < length
    return positions


def many(length: int, **settings: Any) -> list[npt.NDArray[np.int64]]:
    return [draw(length, position, **settings) for position in range(100)]


def test_keys_of_every_kind_give_their_own_numbers() -> None:
    keys = list(itertools.product((0, 1), (0, 1, 2), (0, 1, 2), (0, 1, 2)))
    numbers = {keyed(*key).random() for key in keys}
    assert len(numbers) == len(keys)
    assert keyed(3, 1, 2, 4).random() == keyed(3, 1, 2, 4).random()
    assert keyed(2**40, 0, 0).random() != keyed(0, 0, 0).random()


@pytest.mark.parametrize("order", ["unordered", "ordered", "all_ordered"])
@pytest.mark.parametrize("length", [1, 2, 9, 10, 11, 14, 40])
def test_a_fixed_number_is_fixed(order: str, length: int) -> None:
    assert all(len(each) == 10 for each in many(length, order=order, count=10, skip=4))


def test_unordered_draws_anywhere_without_repeats() -> None:
    drawn = many(20, count=10)
    assert all(len(set(each)) == 10 for each in drawn)
    assert set(np.concatenate(drawn)) == set(range(20))
    assert any((np.diff(each) < 0).any() for each in drawn)
    firsts = np.bincount([each[0] for each in many(4, count=4)], minlength=4)
    assert firsts.min() > 10, "any frame can come first, even where all are drawn"


def test_unordered_repeats_only_where_the_sequence_is_too_short() -> None:
    assert all(sorted(each) == list(range(10)) for each in many(10, count=10))
    counts = np.bincount(np.concatenate(many(9, count=10)), minlength=9)
    assert counts.min() > 0.6 * counts.max()


def test_ordered_without_skip_is_a_run_of_neighbours() -> None:
    drawn = many(15, order="ordered", count=10)
    assert all((np.diff(each) == 1).all() for each in drawn)
    assert {int(each[0]) for each in drawn} == set(range(6)), "every window, both ends included"


def test_ordered_stays_within_its_window() -> None:
    drawn = many(40, order="ordered", count=10, skip=5)
    assert all((np.diff(each) > 0).all() for each in drawn)
    spans = [int(each[-1] - each[0]) + 1 for each in drawn]
    assert min(spans) >= 10
    assert max(spans) == 15
    assert len({tuple(np.diff(each)) for each in drawn}) > 50, "each time others are left out"


@pytest.mark.parametrize("length", [1, 3, 4, 14])
def test_ordered_repeats_a_short_sequence(length: int) -> None:
    for each in many(length, order="ordered", count=10):
        assert (np.diff(each) % length == 1 % length).all()
    repeats = -(-15 // length) * length
    starts = {int(each[0]) for each in many(length, order="ordered", count=15)}
    assert starts == set(range(repeats - 15 + 1))


def test_ordered_skips_within_a_repeated_sequence() -> None:
    for each in many(6, order="ordered", count=8, skip=3):
        steps = np.diff(each) % 6
        # Eight of eleven neighbours: at most three are left out altogether.
        assert np.where(steps == 0, 6, steps).sum() <= 10


def test_all_ordered_is_in_order_over_the_whole_sequence() -> None:
    drawn = many(40, order="all_ordered", count=10)
    assert all((np.diff(each) > 0).all() for each in drawn)
    assert set(np.concatenate(drawn)) == set(range(40))
    assert max(each[-1] - each[0] for each in drawn) > 30
    short = many(4, order="all_ordered", count=10)
    assert all((np.diff(each) >= 0).all() for each in short)


@pytest.mark.parametrize("order", ["unordered", "ordered", "all_ordered"])
def test_an_unfixed_number_lies_within_its_range(order: str) -> None:
    drawn = many(30, number="unfixed", order=order, count_range=(4, 7))
    assert {len(each) for each in drawn} == {4, 5, 6, 7}


@pytest.mark.parametrize("order", ["unordered", "ordered", "all_ordered"])
def test_all_is_the_sequence_as_it_is(order: str) -> None:
    whole = sample_frames(9, Frames(number="all", order=order), keyed(0, 0, 1))
    first = sample_frames(9, Frames(number="all", order=order, limit=4), keyed(0, 0, 1))
    assert isinstance(whole, slice) and isinstance(first, slice)
    assert list(range(9)[whole]) == list(range(9))
    assert list(range(9)[first]) == [0, 1, 2, 3]


def test_a_limit_cuts_what_was_drawn() -> None:
    np.testing.assert_array_equal(draw(20, count=10, limit=6), draw(20, count=10)[:6])
