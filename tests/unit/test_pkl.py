"""The pkl format: exchanged with anybody, trusted from nobody."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.pickles import writer
from gait.formats.pkl import digest_of, read_pkl, write_pkl
from gait.ragged import Ragged


def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (7, 64, 44), np.uint8)


@pytest.mark.parametrize("shape", [(1, 3, 85), (1, 4, 64), (3000, 64, 44), (2, 17, 3)])
@pytest.mark.parametrize("dtype", ["u1", "<f4", "<f8"])
def test_a_long_array_is_pickled_as_a_short_one_is(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    array = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    path = tmp_path / "a.pkl"
    assert writer.write_pickled(path, array)
    expected = writer.with_old_name(pickle.dumps(array, protocol=3))
    assert path.read_bytes() == expected
    assert not writer.write_pickled(path, array)
    path.write_bytes(expected + b"more")
    assert writer.write_pickled(path, array)
    assert path.read_bytes() == expected


def test_what_a_pickle_cannot_hold_is_said(tmp_path: Path) -> None:
    array = np.broadcast_to(np.uint8(0), (2**20, 64, 64))
    with pytest.raises(DataError, match=r"a\.pkl: expected frames of less than 4 GiB"):
        writer.write_pickled(tmp_path / "a.pkl", array)


class Payload:
    """Runs a command when a plain unpickler reads it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_what_is_written_is_read_by_anyone(tmp_path: Path) -> None:
    path = tmp_path / "001" / "nm-01" / "090" / "090.pkl"
    assert write_pkl(path, frames())
    np.testing.assert_array_equal(read_pkl(path), frames())
    with path.open("rb") as file:
        plain = pickle.load(file)
    # NumPy before 1.26 knows no other name, and OpenGait is often run with such.
    assert b"numpy.core.multiarray" in path.read_bytes()
    assert b"numpy._core" not in path.read_bytes()
    np.testing.assert_array_equal(plain, frames())
    assert plain.dtype == np.uint8 and plain.flags.c_contiguous
    assert [each.name for each in path.parent.iterdir()] == ["090.pkl"]


def test_an_identical_pkl_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    write_pkl(path, frames())
    os.utime(path, ns=(1, 1))
    assert not write_pkl(path, np.asfortranarray(frames()))
    assert path.stat().st_mtime_ns == 1
    assert write_pkl(path, frames() // 2)
    np.testing.assert_array_equal(read_pkl(path), frames() // 2)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_protocol_and_order_is_read(tmp_path: Path, protocol: int, order: Any) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.asarray(frames(), order=order), protocol))
    found = read_pkl(path)
    np.testing.assert_array_equal(found, frames())
    assert found.flags.c_contiguous


@pytest.mark.parametrize("protocol", [3, 5])
def test_pkl_files_of_numpy_1_are_read(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(frames(), protocol)
    # Protocol 5 tells lengths in two places: the text's own and the frame's around it.
    if protocol == 3:
        old = data.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    else:
        old = data.replace(b"\x8c\x13numpy._core.numeric", b"\x8c\x12numpy.core.numeric")
        start = old.index(b"\x95") + 1
        length = int.from_bytes(old[start : start + 8], "little") - 1
        old = old[:start] + length.to_bytes(8, "little") + old[start + 8 :]
    assert old != data
    path = tmp_path / "a.pkl"
    path.write_bytes(old)
    np.testing.assert_array_equal(read_pkl(path), frames())


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_malicious_pkl_is_not_executed(tmp_path: Path, wrapped: bool) -> None:
    trace = tmp_path / "trace"
    payload = Payload(os.system, f"echo > {trace}")
    held: Any = payload
    if wrapped:
        held = np.empty(1, object)
        held[0] = payload
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(held))
    with pytest.raises(DataError, match=r"(posix|nt)\.system") as caught:
        read_pkl(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not trace.exists()
    # The payload itself is sound: a plain unpickler is taken in.
    pickle.loads(path.read_bytes())
    assert trace.exists()


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (eval, ("1 + 1",), "builtins.eval"),
        (getattr, (np, "load"), "builtins.getattr"),
        (np.load, ("x",), "numpy.load"),
        (sys.exit, (3,), "sys.exit"),
    ],
)
def test_nothing_else_is_admitted(
    tmp_path: Path, function: Any, arguments: tuple[Any, ...], name: str
) -> None:
    arguments = tuple(each for each in arguments if each is not np)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(Payload(function, *arguments)))
    with pytest.raises(DataError, match=f"asks for {name}"):
        read_pkl(path)


def test_names_cannot_be_reached_through_admitted_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    # STACK_GLOBAL with a dotted name, which a plain unpickler follows.
    path.write_bytes(b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.")
    with pytest.raises(DataError, match=r"asks for numpy.ndarray.__init__"):
        read_pkl(path)


def test_a_truncated_pkl_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    whole = pickle.dumps(frames())
    for size in (0, 1, 20, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=f"a.pkl: .*got {size} bytes that are cut short"):
            read_pkl(path)


def test_bytes_that_are_no_pickle_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    rng = np.random.default_rng(1)
    whole = pickle.dumps(frames()[:1, :4, :4])
    for _ in range(300):
        broken = bytearray(whole)
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            assert read_pkl(path).dtype == np.uint8
        except DataError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (np.zeros((3, 64, 44), np.float32), r"float32 \[3, 64, 44\]"),
        (np.zeros((64, 64), np.uint8), r"uint8 \[64, 64\]"),
        (np.zeros((3, 2, 64, 64), np.uint8), r"uint8 \[3, 2, 64, 64\]"),
        (np.zeros((0, 64, 64), np.uint8), r"uint8 \[0, 64, 64\]"),
        ([np.zeros((3, 4), np.uint8)], "list"),
        (None, "NoneType"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, content: Any, received: str) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=rf"a.pkl: expected .*uint8 \[frames.*got {received}"):
        read_pkl(path)
    with pytest.raises(DataError, match=received):
        write_pkl(tmp_path / "b.pkl", content)
    assert not (tmp_path / "b.pkl").exists()


@pytest.mark.parametrize(
    ("modality", "dtype", "shape"),
    [
        ("pose", np.float32, (7, 17, 3)),
        ("pose", np.float64, (7, 18, 3)),
        ("pose", ">f4", (7, 17, 3)),
        ("skeleton_maps", np.uint8, (7, 2, 64, 64)),
        ("ratio", np.float64, (7,)),
        ("smpl", np.float32, (7, 85)),
    ],
)
def test_each_modality_has_its_own_arrays(
    tmp_path: Path, modality: str, dtype: Any, shape: tuple[int, ...]
) -> None:
    content = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    path = tmp_path / "a.pkl"
    assert write_pkl(path, content, modality)
    found = read_pkl(path, modality)
    np.testing.assert_array_equal(found, content)
    assert found.dtype.isnative and found.dtype.itemsize == content.dtype.itemsize
    np.testing.assert_array_equal(pickle.loads(path.read_bytes()), content)
    with pytest.raises(DataError, match=r"expected silhouettes uint8 \[frames, h, w\]"):
        read_pkl(path)


@pytest.mark.parametrize(
    ("modality", "content", "received"),
    [
        ("pose", np.zeros((7, 17, 2), np.float32), r"float32 \[7, 17, 2\]"),
        ("pose", np.zeros((0, 17, 3), np.float32), r"float32 \[0, 17, 3\]"),
        ("pose", np.full((7, 17, 3), np.nan, np.float32), "numbers that are not finite"),
        ("pose", np.full((2, 17, 3), None), "list"),
        ("pose", np.full((7, 17, 3), 1e300), "numbers that float32 has no room for"),
        ("skeleton_maps", np.zeros((7, 2, 64, 64)), r"float64 \[7, 2, 64, 64\]"),
        ("points", [np.zeros((9, 3)), np.zeros((8, 4))], r"float64 \[8, 4\] as frame 1; keep the"),
        ("points", [np.zeros((9, 3)), np.zeros((0, 3))], r"float64 \[0, 3\] as frame 1; .* leave"),
        ("points", [np.zeros((9, 3)), np.zeros(3)], r"float64 \[3\] as frame 1"),
        ("points", [np.zeros((9, 3), np.int64)], r"int64 \[9, 3\] as frame 0"),
        ("points", [np.full((9, 3), np.inf)], "numbers that are not finite as frame 0"),
        ("points", [[1.0, 2.0, 3.0]], "list as frame 0"),
        ("points", [], "an empty list"),
        ("points", np.full((2, 9, 3), None), "list as frame 0"),
        ("points", {"frames": [1]}, "dict"),
        ("pose", [[["a", "b", "c"]]], "list"),
        ("points", np.zeros((2, 9, 4)), r"float64 \[2, 9, 4\]; keep the columns x, y and z"),
        ("pose", [np.zeros((17, 3))], "list"),
    ],
)
def test_other_arrays_than_the_modality_has_are_refused(
    tmp_path: Path, modality: str, content: Any, received: str
) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=rf"a.pkl: expected {modality} .*frames.*got {received}"):
        read_pkl(path, modality)


def clouds(*sizes: int, dtype: Any = np.float32) -> list[NDArray[Any]]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(size, 3)).astype(dtype) for size in sizes]


def of_objects(frames: list[NDArray[Any]]) -> NDArray[Any]:
    array = np.empty(len(frames), object)
    array[:] = frames
    return array


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", [list, of_objects])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_clouds_of_differing_size_are_read(
    tmp_path: Path, protocol: int, form: Any, dtype: Any
) -> None:
    frames = clouds(9, 1, 30, dtype=dtype)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(form(frames), protocol))
    found = read_pkl(path, "points")
    assert isinstance(found, Ragged)
    assert found.dtype.isnative and found.dtype.itemsize == frames[0].dtype.itemsize
    for one, other in zip(found.split(), frames, strict=True):
        np.testing.assert_array_equal(one, other)


def test_clouds_are_written_as_a_list_that_anyone_reads(tmp_path: Path) -> None:
    frames = clouds(9, 1, 30)
    one, other = tmp_path / "one.pkl", tmp_path / "other.pkl"
    # No rows but those of the frames that are asked for, in their order.
    assert write_pkl(one, Ragged.of([*clouds(5), *frames[::-1]])[:0:-1], "points")
    plain = pickle.loads(one.read_bytes())
    assert isinstance(plain, list) and b"numpy._core" not in one.read_bytes()
    for found, expected in zip(plain, frames, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32 and found.flags.c_contiguous
    assert write_pkl(other, read_pkl(one, "points"), "points")
    assert other.read_bytes() == one.read_bytes()
    assert not write_pkl(one, Ragged.of(frames), "points")


def test_clouds_of_one_size_may_be_an_array(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(7, 100, 3))
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(array))
    found = read_pkl(path, "points")
    assert isinstance(found, Ragged)
    np.testing.assert_array_equal(np.stack(found.split()), array)


def test_a_digest_tells_where_clouds_end() -> None:
    rows = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    cuts = [Ragged.of(np.split(rows, places)) for places in ([4], [5], [4, 5])]
    assert len({digest_of(each) for each in cuts}) == 3
    by_hand = rows.tobytes() + np.array([4, 6], "<i8").tobytes()
    assert digest_of(cuts[0]) == hashlib.sha256(by_hand).hexdigest()


def test_nothing_is_executed_from_a_list_of_clouds(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([*clouds(3), Payload(os.system, f"echo > {trace}")]))
    with pytest.raises(DataError, match=r"(posix|nt)\.system"):
        read_pkl(path, "points")
    assert not trace.exists()


def test_one_cloud_that_comes_thousands_of_times_is_not_unfolded(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(clouds(50_000) * 3_000))
    with pytest.raises(DataError, match=r"a\.pkl: .*come again and again"):
        read_pkl(path, "points")
    # A walker who stands still may be told so.
    path.write_bytes(pickle.dumps(clouds(500) * 30))
    assert len(read_pkl(path, "points")) == 30


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pkl(tmp_path / "a.pkl", frames())
    monkeypatch.setenv("GAIT_MAX_FILE_BYTES", "1000")
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read"))
    with pytest.raises(DataError, match=r"a\.pkl: .*at most 1,000; .*GAIT_MAX_FILE_BYTES="):
        read_pkl(tmp_path / "a.pkl")


def test_a_missing_pkl_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.pkl: .*No such file"):
        read_pkl(tmp_path / "a.pkl")


def test_a_full_disk_leaves_the_old_pkl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pkl"
    write_pkl(path, frames())

    pieces = writer._pieces

    def full(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
        yield from islice(pieces(array), 1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "_pieces", full)
    with pytest.raises(DataError, match=r"a.pkl: cannot be written \(No space left"):
        write_pkl(path, frames() // 2)
    np.testing.assert_array_equal(read_pkl(path), frames())
    assert [each.name for each in tmp_path.iterdir()] == ["a.pkl"]
