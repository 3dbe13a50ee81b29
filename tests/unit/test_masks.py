"""Bit-packed masks: exact, reproducible, never half-written, and honest about damage."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError
from gait.formats.seal import seal_zip
from gait.prepare.silhouettes import masks as masks_module
from gait.prepare.silhouettes.masks import (
    MaskRecord,
    load_masks,
    read_masks,
    read_record,
    save_masks,
    write_masks,
)


@pytest.fixture
def drawn() -> np.ndarray:
    return np.random.default_rng(0).random((7, 12, 21)) < 0.3


def test_round_trip_keeps_every_pixel_of_an_odd_width(tmp_path: Path, drawn: np.ndarray) -> None:
    path = tmp_path / "001" / "nm-01" / "090.npz"
    frames = np.arange(3, 10, dtype=np.int32)
    save_masks(path, drawn, frames, "abc", frames_read=12, dropped={"b": 2, "a": 3})
    stored = load_masks(path)
    assert stored.masks.dtype == np.uint8
    np.testing.assert_array_equal(stored.masks, drawn * np.uint8(255))
    np.testing.assert_array_equal(stored.frames, frames)
    assert stored.frames.dtype == np.int32
    assert read_record(path) == MaskRecord("abc", 12, 7, {"a": 3, "b": 2})


def test_masks_of_0_and_255_are_stored_like_booleans(tmp_path: Path, drawn: np.ndarray) -> None:
    frames = np.arange(7, dtype=np.int32)
    save_masks(tmp_path / "a.npz", drawn, frames, "x")
    save_masks(tmp_path / "b.npz", drawn * np.uint8(255), frames, "x")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_sequence_without_masks_can_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    nothing = np.zeros((0, 0, 0), bool)
    save_masks(path, nothing, np.zeros(0, np.int32), "x", frames_read=9, dropped={"no walker": 9})
    assert len(load_masks(path).masks) == 0
    assert read_record(path) == MaskRecord("x", 9, 0, {"no walker": 9})


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path, drawn: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"got \[7, 12, 21\] and \[6\]"):
        save_masks(tmp_path / "a.npz", drawn, np.zeros(6, np.int32), "x")
    assert not any(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, drawn: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    frames = np.arange(7, dtype=np.int32)
    save_masks(path, drawn, frames, "old")

    def disk_full(file: object, *arguments: object, **settings: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", disk_full)
    with pytest.raises(DataError, match="No space left"):
        save_masks(path, ~drawn, frames, "new")
    record = read_record(path)
    assert record is not None and record.fingerprint == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 cut"])
def test_damage_is_an_error_to_a_reader_and_no_fingerprint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    assert read_record(path) is None
    with pytest.raises(DataError, match=r"a\.npz: carries no digest .*; mend it"):
        load_masks(path, "mend it")


def test_a_file_cut_short_is_damage(tmp_path: Path, drawn: np.ndarray) -> None:
    path = tmp_path / "a.npz"
    save_masks(path, drawn, np.arange(7, dtype=np.int32), "x")
    path.write_bytes(path.read_bytes()[:-40])
    assert read_record(path) is None
    with pytest.raises(DataError):
        load_masks(path)


def test_a_flipped_bit_anywhere_is_damage(tmp_path: Path, drawn: np.ndarray) -> None:
    path = tmp_path / "a.npz"
    save_masks(path, drawn, np.arange(7, dtype=np.int32), "x")
    content = path.read_bytes()
    for place in range(0, len(content), 37):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        assert read_record(path) is None, place
        with pytest.raises(DataError, match=r"a\.npz: .*; make it again with 'gait segment'"):
            load_masks(path)


def test_a_file_of_a_former_version_is_no_masks(tmp_path: Path, drawn: np.ndarray) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, bits=np.packbits(drawn, axis=2), width=np.int32(21))
    assert read_record(path) is None
    with pytest.raises(DataError, match="of a former version"):
        load_masks(path)


def rewritten(path: Path, **arrays: object) -> None:
    """Other arrays in a file of masks, with a digest that is right; None leaves one out."""
    with np.load(path) as stored:
        content = dict(stored) | arrays
    path.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in content.items():
            if isinstance(array, bytes):
                archive.writestr(f"{name}.npy", array)
            elif array is not None:
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.asarray(array))
    seal_zip(path)


def claimed(type_: str, shape: str) -> bytes:
    """An array's header without the array."""
    text = f"{{'descr': '{type_}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "arrays",
    [
        {"boxes": claimed("<i4", "(1000000000000, 4)")},
        {"frames": claimed("<i4", "(1000000000000,)")},
        {"bits0": claimed("|u1", "(1000000000000,)")},
        {"size": np.array([2**31 - 1, 2**31 - 1], np.int32)},
        {"size": np.array([12], np.int32)},
        {"boxes": np.full((7, 4), 2**31 - 1, np.int32)},
        {"boxes": np.full((7, 4), -1, np.int32)},
        {"boxes": np.zeros((7, 3), np.int32)},
        {"frames": np.zeros(6, np.int32)},
        {"frames": np.zeros(7, np.float64)},
        {"bits0": np.zeros(3, np.uint8)},
        {"bits0": np.zeros(999, np.uint8)},
        {"bits0": np.array([{}], object)},
        {"bits0": None},
        {"boxes": None},
        {"boxes": b"no array"},
        {"boxes": claimed("<i4", "((((((((1,),),),),),),),)")},
    ],
    ids=lambda arrays: next(iter(arrays)),
)
def test_what_does_not_fit_is_refused_before_memory_is_reserved(
    tmp_path: Path, drawn: np.ndarray, arrays: dict[str, object]
) -> None:
    path = tmp_path / "a.npz"
    save_masks(path, drawn, np.arange(7, dtype=np.int32), "x")
    rewritten(path, **arrays)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.npz: expected bit-packed masks, .*; make it again"):
        load_masks(path)
    assert tracemalloc.get_traced_memory()[1] < 10**8
    tracemalloc.stop()


def test_no_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert read_record(tmp_path / "a.npz") is None
    with pytest.raises(DataError, match="No such file"):
        load_masks(tmp_path / "a.npz")


def test_masks_are_written_and_read_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks_module, "_PART_BYTES", 100)
    drawn = np.random.default_rng(1).random((50, 30, 40)) < 0.4
    drawn[7] = False
    save_masks(tmp_path / "a.npz", drawn, np.arange(50, dtype=np.int32), "x")
    with np.load(tmp_path / "a.npz") as stored:
        parts = [stored[name] for name in stored if name.startswith("bits")]
    assert len(parts) > 20
    assert max(map(len, parts)) < 100 + 30 * 5
    blocks = list(read_masks(tmp_path / "a.npz", 5 * 30 * 40))
    assert [len(each.masks) for each in blocks] == [5] * 10
    np.testing.assert_array_equal(np.concatenate([each.masks for each in blocks]) > 0, drawn)
    assert np.concatenate([each.frames for each in blocks]).tolist() == list(range(50))


def test_masks_of_one_video_have_one_size(tmp_path: Path, drawn: np.ndarray) -> None:
    with (
        pytest.raises(ValueError, match=r"expected a mask \[12, 21\], got \[11, 21\]"),
        write_masks(tmp_path / "a.npz") as writer,
    ):
        writer.add(drawn[0], 0)
        writer.add(drawn[0, :11], 1)
    assert not any(tmp_path.iterdir())
