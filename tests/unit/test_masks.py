"""Bit-packed masks: exact, reproducible, never half-written, and honest about damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.masks import MaskRecord, load_masks, read_record, save_masks


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
    assert stored.fingerprint == "abc"
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

    def disk_full(file: object, **arrays: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", disk_full)
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
    with pytest.raises(DataError, match=r"a\.npz: expected bit-packed masks"):
        load_masks(path)


def test_a_file_cut_short_is_damage(tmp_path: Path, drawn: np.ndarray) -> None:
    path = tmp_path / "a.npz"
    save_masks(path, drawn, np.arange(7, dtype=np.int32), "x")
    path.write_bytes(path.read_bytes()[:-40])
    assert read_record(path) is None
    with pytest.raises(DataError):
        load_masks(path)


def test_no_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert read_record(tmp_path / "a.npz") is None
    with pytest.raises(DataError, match="found no file"):
        load_masks(tmp_path / "a.npz")
