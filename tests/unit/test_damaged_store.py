"""Damage of a packed store: torn, altered and forged files are told with what makes them again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.data.store import PackedStore, verify_store
from gait.errors import DataError
from gait.formats.blocks import BLOCK_BYTES
from gait.formats.seal import write_sealed_table
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
        ("000,4,3", "000,-4,3", r"begin before the first frame"),
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


@pytest.mark.parametrize("name", ["frames.npy", "index.csv", "digests.npz"])
def test_a_missing_file(packed: Path, name: str) -> None:
    (packed / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: .*No such file.*gait pack"):
        PackedStore(packed)


def test_a_deleted_array_is_told_with_the_way_to_get_it_back(packed: Path) -> None:
    np.save(packed / "pose.npy", np.zeros((12, 17, 3), np.float32))
    seal_packed(packed)
    PackedStore(packed).read(0, slice(None), "pose")
    (packed / "pose.npy").unlink()
    remedy = r"gait pack`, or delete index.csv there and run the workflow again"
    with pytest.raises(DataError, match=rf"holds no pose, .*it holds silhouettes; .*{remedy}"):
        PackedStore(packed).read(0, slice(None), "pose")
    (packed / "frames.npy").unlink()
    with pytest.raises(
        DataError, match=rf"frames.npy: expected an array, .*No such file.*{remedy}"
    ):
        PackedStore(packed)


@pytest.mark.parametrize(
    ("offsets", "complaint"),
    [
        (None, "points.offsets.npy: expected an array, which cannot be read"),
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
    seal_packed(packed)
    with pytest.raises(DataError, match=rf"{complaint}.*gait pack"):
        PackedStore(packed)


@pytest.mark.parametrize("name", ["points.npy", "points.offsets.npy"])
def test_torn_clouds(packed: Path, name: str) -> None:
    noisy_clouds(packed)
    path = packed / name
    whole = path.read_bytes()
    for size in (0, 60, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=rf"{name}: holds .* bytes, expected .*: it is torn"):
            PackedStore(packed)


def test_a_store_of_clouds_as_one_array_is_of_a_former_version(packed: Path) -> None:
    np.save(packed / "points.npy", np.zeros((12, 512, 3), np.float32))
    seal_packed(packed)
    with pytest.raises(DataError, match=r"\[12, 512, 3\], expected the rows of .*gait pack"):
        PackedStore(packed)


@pytest.mark.parametrize("size", [0, 5, 60, 200])
def test_torn_frames(packed: Path, size: int) -> None:
    path = packed / "frames.npy"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"frames.npy: holds .* it is torn; .*gait pack"):
        PackedStore(packed)


def test_frames_of_another_type(packed: Path) -> None:
    np.save(packed / "frames.npy", np.zeros((12, 6, 4), dtype=np.float32))
    seal_packed(packed)
    with pytest.raises(
        DataError, match=r"holds float32 of shape \[12, 6, 4\], expected silhouettes uint8"
    ):
        PackedStore(packed)
    np.save(packed / "frames.npy", np.array([{}] * 12), allow_pickle=True)
    seal_packed(packed)
    with pytest.raises(DataError, match=r"frames.npy: expected an array.*object"):
        PackedStore(packed)


def flips(path: Path, number: int, seed: int = 0) -> Iterator[None]:
    """The file with one bit flipped, one after the other, and then as it was."""
    whole = path.read_bytes()
    generator = random.Random(seed)
    for _ in range(number):
        damaged = bytearray(whole)
        position = generator.randrange(8 * len(whole))
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        yield
    path.write_bytes(whole)


def read_all(packed: Path) -> None:
    store = PackedStore(packed)
    for modality in store.modalities:
        for index in range(len(store)):
            store.read(index, slice(None), modality)


@pytest.mark.parametrize(
    "name",
    [
        *("frames.npy", "points.npy", "points.offsets.npy"),
        *("digests.npz", "index.csv", "index.csv.sha256"),
    ],
)
def test_every_flipped_bit_is_noticed_when_it_is_read_and_by_a_check(
    packed: Path, name: str
) -> None:
    noisy_clouds(packed)
    write_sealed_table(packed / "index.csv", (packed / "index.csv").read_text())
    read_all(packed)
    assert verify_store(packed) == []
    for _ in flips(packed / name, 400):
        with pytest.raises(DataError, match=rf"{name.removesuffix('.sha256')}: .*gait pack"):
            read_all(packed)
        (sentence,) = verify_store(packed)
        assert name.removesuffix(".sha256") in sentence and "gait pack" in sentence
    read_all(packed)


def test_no_store_is_no_damage(tmp_path: Path) -> None:
    assert verify_store(tmp_path) == []


@pytest.fixture
def large(tmp_path: Path) -> PackedStore:
    """Some 40 sequences of about a block each."""
    write_packed(tmp_path, population(8, 5, 16))
    return PackedStore(tmp_path)


def swap(path: Path, one: int, other: int) -> None:
    """Swap two blocks of a file."""
    data = np.fromfile(path, np.uint8)
    first, second = (slice(each * BLOCK_BYTES, (each + 1) * BLOCK_BYTES) for each in (one, other))
    data[first], data[second] = data[second].copy(), data[first].copy()
    data.tofile(path)


def test_swapped_blocks_are_noticed_where_they_are_read(
    tmp_path: Path, large: PackedStore
) -> None:
    swap(tmp_path / "frames.npy", 3, 5)
    store = PackedStore(tmp_path)
    outcomes = []
    for index in range(len(store)):
        try:
            store.read(index, slice(None))
        except DataError as error:
            assert "frames.npy: is damaged near byte" in str(error)
            outcomes.append(index)
    assert 2 <= len(outcomes) < 10
    assert len(verify_store(tmp_path)) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        *(slice(2, 5), slice(None), slice(None, None, -3), slice(9, 2)),
        *(np.array([4]), np.array([-1]), np.array([2, 0, 2]), np.array([], np.int64)),
    ],
)
def test_what_is_read_is_what_is_checked(
    tmp_path: Path, large: PackedStore, wanted: slice | NDArray[np.int64]
) -> None:
    path = tmp_path / "frames.npy"
    frames = np.load(path)
    whole = path.read_bytes()
    start, length = int(large.lengths[:7].sum()), int(large.lengths[7])
    own = np.arange(start, start + length)[wanted]
    for place in range(start, start + length):
        damaged = bytearray(whole)
        damaged[128 + place * frames[0].size] ^= 1
        path.write_bytes(damaged)
        store = PackedStore(tmp_path)
        with suppress(DataError):
            np.testing.assert_array_equal(store.read(7, wanted), frames[own])
        # Nothing that one read has not looked at is taken for checked by the next.
        with pytest.raises(DataError):
            store.read(7, slice(None))
    path.write_bytes(whole)
    store = PackedStore(tmp_path)
    np.testing.assert_array_equal(store.read(7, wanted), frames[own])
    np.testing.assert_array_equal(store.read(7, slice(None)), frames[start : start + length])


HEADERS = [
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 6, 4), }",
    f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'9' * 400}, 6, 4), }}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-12, 6, -4), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (12.0, 6, 4), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (12, 6, 4), }",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (12, 6, 4), }",
    "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (12, 6, 4), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': " + "(" * 9000,
    "[" * 9000,
    "{'descr': '|V0', 'fortran_order': False, 'shape': (12, 6, 4), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (), }",
    '"""',
    "",
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"])
def test_headers_that_claim_what_is_not_there(packed: Path, header: str, version: bytes) -> None:
    path = packed / "frames.npy"
    size = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    path.write_bytes(b"\x93NUMPY" + version + size + header.encode() + b"\0" * 288)
    seal_packed(packed)
    with pytest.raises(DataError, match=r"frames.npy: .*gait pack") as caught:
        PackedStore(packed)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "text",
    [
        *("\0", '"', "subject,condition,view,start,frames\n1,2,3,99999999999999999999999,1\n"),
        "subject,condition,view,start,frames\n1,2,3,0,1,5,6\n1,2,3,0\n",
        "subject,condition,view,start,frames\n1,2,3,9223372036854775807,9223372036854775807\n",
        "subject,condition,view,start,frames\n1,2,3,,\n",
    ],
)
def test_an_index_that_is_none(packed: Path, text: str) -> None:
    (packed / "index.csv").write_text(text)
    with pytest.raises(DataError, match=r"(index.csv|frames.npy): .*gait pack"):
        PackedStore(packed)
