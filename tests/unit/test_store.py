"""The packed store gives what was packed, in any order and to any process."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from gait.data.store import PackedStore
from gait.errors import DataError
from gait.ragged import Ragged
from gait.types import SequenceKey
from tests.unit.packed import (
    LENGTHS,
    noisy_clouds,
    population,
    seal_packed,
    write_packed,
)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    write_packed(tmp_path, LENGTHS, height_px=6, width_px=4)
    return tmp_path


def test_reads_what_was_packed(packed: Path) -> None:
    store = PackedStore(packed)
    frames = np.load(packed / "frames.npy")
    assert len(store) == 3
    assert list(store.keys) == list(LENGTHS)
    assert store.keys[-1] == SequenceKey("010", "bg-01", "090")
    assert store.keys[1:] == list(LENGTHS)[1:]
    assert store.lengths.tolist() == [4, 3, 5]
    assert store.modalities == ["silhouettes"]
    assert store.blank().shape == (2, 6, 4)
    assert store.subjects == ["002", "010"]
    assert store.subject_codes.tolist() == [1, 0, 1]
    np.testing.assert_array_equal(store.read(1, slice(None)), frames[4:7])
    np.testing.assert_array_equal(store.read(2, slice(2)), frames[7:9])
    np.testing.assert_array_equal(store.read(2, np.array([4, 0, 4])), frames[[11, 7, 11]])


def test_a_read_stays_within_its_sequence(packed: Path) -> None:
    with pytest.raises(IndexError):
        PackedStore(packed).read(0, np.array([4]))


def test_a_slice_cannot_be_written_to(packed: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        PackedStore(packed).read(0, slice(None))[0] = 0


def test_indices_of_subjects(packed: Path) -> None:
    store = PackedStore(packed)
    assert store.indices_of(["010"]).tolist() == [0, 2]
    assert store.indices_of(["010", "002"]).tolist() == [0, 1, 2]
    assert store.indices_of([]).tolist() == []
    with pytest.raises(DataError, match="no sequence of subject '011'; did you mean '010'"):
        store.indices_of(["011"])


def test_a_pickled_store_is_small_and_reads_the_same(tmp_path: Path) -> None:
    write_packed(tmp_path, population(3, 4))
    store = PackedStore(tmp_path)
    pickled = pickle.dumps(store)
    assert len(pickled) < 5_000 < (tmp_path / "frames.npy").stat().st_size
    copy = pickle.loads(pickled)
    assert list(copy.keys) == list(store.keys)
    np.testing.assert_array_equal(copy.read(5, slice(None)), store.read(5, slice(None)))


def test_any_order_of_the_index_is_read(packed: Path) -> None:
    before = PackedStore(packed)
    header, *rows = (packed / "index.csv").read_text().splitlines()
    (packed / "index.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    after = PackedStore(packed)
    assert list(after.keys) == list(reversed(list(before.keys)))
    np.testing.assert_array_equal(after.read(0, slice(None)), before.read(2, slice(None)))


def test_a_store_without_silhouettes(packed: Path) -> None:
    poses = np.arange(12 * 17 * 3, dtype=np.float32).reshape(12, 17, 3)
    np.save(packed / "pose.npy", poses)
    (packed / "frames.npy").unlink()
    seal_packed(packed)
    store = PackedStore(packed)
    assert store.modalities == ["pose"]
    np.testing.assert_array_equal(store.blank("pose"), np.zeros((2, 17, 3), np.float32))
    np.testing.assert_array_equal(store.read(1, slice(None), "pose"), poses[4:7])
    with pytest.raises(DataError, match=r"holds no silhouettes, .*it holds pose; .*gait pack"):
        store.read(1, slice(None))
    np.save(packed / "pose.npy", poses[:11])
    seal_packed(packed)
    with pytest.raises(DataError, match=r"lists 12 frames, but .*pose.npy holds 11"):
        PackedStore(packed)


@pytest.mark.parametrize("seed", range(10))
def test_clouds_are_read_as_of_a_list(packed: Path, seed: int) -> None:
    frames = noisy_clouds(packed, seed)
    store = PackedStore(packed)
    assert store.modalities == ["points", "silhouettes"]
    rng = np.random.default_rng(seed)
    starts = np.cumsum(store.lengths) - store.lengths
    for _ in range(20):
        index = int(rng.integers(len(store)))
        own = frames[starts[index] :][: store.lengths[index]]
        chosen = rng.integers(len(own), size=rng.integers(1, 9))
        for positions in (chosen, slice(int(chosen[0])), slice(None)):
            found = store.read(index, positions, "points")
            assert isinstance(found, Ragged)
            expected = own[positions] if isinstance(positions, slice) else [own[i] for i in chosen]
            assert len(found) == len(expected)
            for one, other in zip(found.split(), expected, strict=True):
                np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="read-only"):
        found.rows[0] = 0
    blank = store.blank("points")
    assert isinstance(blank, Ragged) and blank.dtype == np.float32
    assert len(blank) == 2 and len(set(blank.counts)) == 2


def test_clouds_go_to_other_processes_by_their_path(packed: Path) -> None:
    frames = noisy_clouds(packed)
    copy = pickle.loads(pickle.dumps(PackedStore(packed)))
    np.testing.assert_array_equal(copy.read(0, slice(1), "points").gathered().rows, frames[0])
