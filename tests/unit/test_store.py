from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.data.store import PackedStore
from gait.errors import DataError
from gait.ragged import Ragged
from gait.types import SequenceKey
from tests.unit.packed import add_clouds, population, write_packed

LENGTHS = {
    SequenceKey("010", "nm-01", "090"): 4,
    SequenceKey("002", "NA", "000"): 3,
    SequenceKey("010", "bg-01", "090"): 5,
}


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


def edit_index(packed: Path, old: str, new: str) -> None:
    path = packed / "index.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("090,7,5", "090,7,6", r"lists 13 frames, but .*frames.npy holds 12.*gait pack"),
        ("090,7,5", "090,7,4", r"lists 11 frames, but .*frames.npy holds 12"),
        ("000,4,3", "000,3,3", r"overlap or leave gaps"),
        ("000,4,3", "000,4,0", r"without frames"),
        ("000,4,3", "000,-4,3", r"negative start"),
        ("000,4,3", "000,four,3", r"index.csv: cannot be used \(.*four"),
        ("subject,", "person,", r"index.csv: cannot be used \(.*subject"),
        ("bg-01", "nm-01", r"lists 010/nm-01/090 more than once"),
    ],
)
def test_an_index_that_does_not_fit(packed: Path, old: str, new: str, sentence: str) -> None:
    edit_index(packed, old, new)
    with pytest.raises(DataError, match=sentence):
        PackedStore(packed)


def test_an_empty_index(packed: Path) -> None:
    path = packed / "index.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(DataError, match="lists no sequence"):
        PackedStore(packed)
    path.write_text("")
    with pytest.raises(DataError, match=r"index.csv: cannot be used"):
        PackedStore(packed)


@pytest.mark.parametrize("name", ["frames.npy", "index.csv"])
def test_a_missing_file(packed: Path, name: str) -> None:
    (packed / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: does not exist.*gait pack"):
        PackedStore(packed)


def test_a_store_without_silhouettes(packed: Path) -> None:
    poses = np.arange(12 * 17 * 3, dtype=np.float32).reshape(12, 17, 3)
    np.save(packed / "pose.npy", poses)
    (packed / "frames.npy").unlink()
    store = PackedStore(packed)
    assert store.modalities == ["pose"]
    np.testing.assert_array_equal(store.blank("pose"), np.zeros((2, 17, 3), np.float32))
    np.testing.assert_array_equal(store.read(1, slice(None), "pose"), poses[4:7])
    with pytest.raises(DataError, match=r"holds no silhouettes, .*it holds pose; .*gait pack"):
        store.read(1, slice(None))
    np.save(packed / "pose.npy", poses[:11])
    with pytest.raises(DataError, match=r"lists 12 frames, but .*pose.npy holds 11"):
        PackedStore(packed)


def test_a_deleted_array_is_told_with_the_way_to_get_it_back(packed: Path) -> None:
    np.save(packed / "pose.npy", np.zeros((12, 17, 3), np.float32))
    PackedStore(packed).read(0, slice(None), "pose")
    (packed / "pose.npy").unlink()
    remedy = r"gait pack`, or delete index.csv there and run the workflow again"
    with pytest.raises(DataError, match=rf"holds no pose, .*it holds silhouettes; .*{remedy}"):
        PackedStore(packed).read(0, slice(None), "pose")
    (packed / "frames.npy").unlink()
    with pytest.raises(DataError, match=rf"frames.npy: does not exist, .*{remedy}"):
        PackedStore(packed)


def clouds(packed: Path, seed: int = 0) -> list[NDArray[np.float32]]:
    """Clouds of the store's twelve frames, also in the store."""
    rng = np.random.default_rng(seed)
    frames = [rng.normal(size=(size, 3)).astype(np.float32) for size in rng.integers(1, 9, 12)]
    add_clouds(packed, frames)
    return frames


@pytest.mark.parametrize("seed", range(10))
def test_clouds_are_read_as_of_a_list(packed: Path, seed: int) -> None:
    frames = clouds(packed, seed)
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
    frames = clouds(packed)
    copy = pickle.loads(pickle.dumps(PackedStore(packed)))
    np.testing.assert_array_equal(copy.read(0, slice(1), "points").gathered().rows, frames[0])


@pytest.mark.parametrize(
    ("offsets", "complaint"),
    [
        (None, "points.offsets.npy: does not exist"),
        ([0, 2, 4], r"lists 12 frames, but .*points.npy holds 2"),
        ([0, *range(2, 12), 11, 4], "points.offsets.npy: does not say where the frames of"),
        ([*range(12), 5], "does not say where"),
        ([0, 0, *range(1, 10), 20], "does not say where"),
        ([1, *range(2, 13), 4], "does not say where"),
        ([0], "does not say where"),
        ([[0, 4]], "does not say where"),
        (np.linspace(0, 4, 13), "does not say where"),
    ],
)
def test_clouds_whose_offsets_do_not_fit(packed: Path, offsets: Any, complaint: str) -> None:
    np.save(packed / "points.npy", np.zeros((4, 3), np.float32))
    if offsets is not None:
        np.save(packed / "points.offsets.npy", np.array(offsets))
    with pytest.raises(DataError, match=rf"{complaint}.*gait pack"):
        PackedStore(packed)


@pytest.mark.parametrize("name", ["points.npy", "points.offsets.npy"])
def test_torn_clouds(packed: Path, name: str) -> None:
    clouds(packed)
    path = packed / name
    whole = path.read_bytes()
    for size in (0, 60, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=rf"{name}: is torn or no \.npy file"):
            PackedStore(packed)


def test_a_store_of_clouds_as_one_array_is_of_a_former_version(packed: Path) -> None:
    np.save(packed / "points.npy", np.zeros((12, 512, 3), np.float32))
    with pytest.raises(DataError, match=r"\[12, 512, 3\], expected the rows of .*gait pack"):
        PackedStore(packed)


@pytest.mark.parametrize("size", [0, 5, 60, 200])
def test_torn_frames(packed: Path, size: int) -> None:
    path = packed / "frames.npy"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"frames.npy: is torn or no \.npy file"):
        PackedStore(packed)


def test_frames_of_another_type(packed: Path) -> None:
    np.save(packed / "frames.npy", np.zeros((12, 6, 4), dtype=np.float32))
    with pytest.raises(
        DataError, match=r"holds float32 of shape \[12, 6, 4\], expected silhouettes uint8"
    ):
        PackedStore(packed)
    np.save(packed / "frames.npy", np.array([{}] * 12), allow_pickle=True)
    with pytest.raises(DataError, match=r"no \.npy file"):
        PackedStore(packed)
