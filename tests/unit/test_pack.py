"""The packed store: checked against the manifests, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.errors import DataError
from gait.formats.manifest import ManifestRow, pkl_name, read_manifest
from gait.formats.pkl import write_pkl
from gait.types import SequenceKey
from tests.unit.shards import FILES, NAMES, add, contents, frames_of, index, run, shard, two_shards


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return two_shards(tmp_path)


def test_each_sequence_is_found_through_the_index(tmp_path: Path, shards: list[Path]) -> None:
    summary = run(tmp_path, shards)
    store = np.load(tmp_path / "packed" / "frames.npy", mmap_mode="r")
    lines = index(tmp_path)
    assert list(lines[0]) == ["subject", "condition", "view", "start", "frames", "sha256"]
    assert ["/".join(list(line.values())[:3]) for line in lines] == NAMES
    for line, name in zip(lines, NAMES, strict=True):
        start = int(line["start"])
        found = store[start : start + int(line["frames"])]
        np.testing.assert_array_equal(found, frames_of(name))
        assert hashlib.sha256(found.tobytes()).hexdigest() == line["sha256"]
    assert store.dtype == np.uint8
    assert store.shape == (sum(int(line["frames"]) for line in lines), 64, 64)
    assert summary.frames == len(store)
    assert sorted(contents(tmp_path)) == FILES


def test_the_manifest_holds_every_row_in_order(tmp_path: Path, shards: list[Path]) -> None:
    run(tmp_path, shards)
    rows = read_manifest(tmp_path / "manifest.csv")
    assert [str(row.key) for row in rows] == [*NAMES[:3], "002/nm-01/090", NAMES[3]]
    assert sorted(rows, key=lambda row: row.key) == sorted(
        read_manifest(shards[0]) + read_manifest(shards[1]), key=lambda row: row.key
    )


def test_an_unchanged_manifest_is_left_alone(tmp_path: Path, shards: list[Path]) -> None:
    run(tmp_path, shards)
    before = contents(tmp_path)
    os.utime(tmp_path / "manifest.csv", ns=(1, 1))
    run(tmp_path, shards[::-1])
    assert (tmp_path / "manifest.csv").stat().st_mtime_ns == 1
    assert contents(tmp_path) == before


def test_what_is_left_out_is_summed_up(tmp_path: Path, shards: list[Path]) -> None:
    summary = run(tmp_path, shards)
    assert (summary.sequences, summary.left_out) == (4, 1)
    assert summary.left_out_frames == {"no walker": 5}
    assert str(summary) == (
        f"4 sequences, {summary.frames} frames of 64 x 64 packed; "
        "frames dropped before: 5 no walker, 4 unreadable; "
        "1 sequences left out without a usable frame (frames: 5 no walker)"
    )


def test_no_sequence_at_all_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    rows = [
        ManifestRow(SequenceKey("001", "nm-01", view), "", 5, 0, {"no walker": 4, "unreadable": 1})
        for view in ("000", "090")
    ]
    with pytest.raises(DataError, match=r"2 sequences.*none.*8 no walker, 2 unreadable") as caught:
        run(tmp_path, [shard(tmp_path, 1, rows)])
    assert "1-of-2.pkl.csv" in str(caught.value)
    assert contents(tmp_path) == {}


def test_a_sequence_in_two_shards_is_refused(tmp_path: Path, shards: list[Path]) -> None:
    shard(tmp_path, 2, read_manifest(shards[0])[:1])
    with pytest.raises(
        DataError, match=r"2-of-2.pkl.csv: sequence 001/nm-01/000 is also in .*1-of"
    ):
        run(tmp_path, shards)


class Payload:
    def __init__(self, trace: Path) -> None:
        self.command = f"echo > {trace}"

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def harm(root: Path, how: str) -> None:
    """Break the pkl of the third sequence."""
    path = root / pkl_name(SequenceKey(*NAMES[2].split("/")))
    frames = frames_of(NAMES[2])
    if how == "other values":
        write_pkl(path, frames ^ np.uint8(1))
    elif how == "fewer frames":
        write_pkl(path, np.concatenate([frames, frames[:1]]))
    elif how == "other type":
        path.write_bytes(pickle.dumps(frames.astype(np.float32)))
    elif how == "malicious":
        path.write_bytes(pickle.dumps(Payload(root / "trace")))
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ("other values", "expected the . frames that .*1-of-2.pkl.csv lists"),
        ("fewer frames", "got . that differ"),
        ("other type", "got float32"),
        ("malicious", "system"),
        ("truncated", "cut short"),
        ("missing", "No such file"),
    ],
)
def test_a_pkl_that_is_not_as_listed_is_named(
    tmp_path: Path, shards: list[Path], how: str, complaint: str
) -> None:
    run(tmp_path, shards)
    before = contents(tmp_path)
    harm(tmp_path, how)
    with pytest.raises(DataError, match=rf"002.nm-01.000.000.pkl: .*{complaint}") as caught:
        run(tmp_path, shards)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before
    assert not (tmp_path / "trace").exists()


def test_one_size_for_all(tmp_path: Path, shards: list[Path]) -> None:
    rows = read_manifest(shards[1])
    rows[0] = add(tmp_path, NAMES[1], frames_of(NAMES[1], (128, 128)))
    shard(tmp_path, 2, rows)
    with pytest.raises(DataError, match=r"090.pkl: expected .*64 x 64 .*got 128 x 128.*size_px"):
        run(tmp_path, shards)
    assert contents(tmp_path) == {}


def test_a_manifest_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    row = add(tmp_path, NAMES[0])
    outside = ManifestRow(row.key, "../elsewhere.pkl", 1, 1, {}, "f", row.sha256)
    with pytest.raises(DataError, match=r"elsewhere.*expected a path that stays below"):
        run(tmp_path, [shard(tmp_path, 1, [outside])])


class FullDisk(io.FileIO):
    """A file that the disk has room for 100,000 bytes of."""

    def write(self, data: Any) -> int:
        room = 100_000 - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data)[:room])


def test_a_write_that_breaks_off_leaves_the_old_store(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, shards)
    before = contents(tmp_path)
    extra = add(tmp_path, "003/nm-01/000", frames_of("many").repeat(30, axis=0))
    shard(tmp_path, 2, [*read_manifest(shards[1]), extra])
    real = Path.open

    def opened(self: Path, mode: str = "r", **settings: Any) -> Any:
        if self.suffix == ".npy" and mode == "wb":
            return io.BufferedWriter(FullDisk(self, mode))
        return real(self, mode, **settings)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        with pytest.raises(DataError, match=r"frames.npy: cannot be written \(No space left"):
            run(tmp_path, shards)
    assert contents(tmp_path) == before
    assert run(tmp_path, shards).sequences == 5


@pytest.mark.parametrize("victim", ["index.csv", "manifest.csv"])
def test_a_full_disk_leaves_the_old_files(
    tmp_path: Path, shards: list[Path], victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, shards)
    before = contents(tmp_path)
    shard(tmp_path, 2, [*read_manifest(shards[1]), add(tmp_path, "003/nm-01/000")])

    write_bytes = Path.write_bytes

    def full(self: Path, *given: Any, **named: Any) -> int:
        if self.suffix != ".csv":
            return write_bytes(self, *given, **named)
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text" if victim == "index.csv" else "write_bytes", full)
        with pytest.raises(DataError, match=rf"{victim}: cannot be written \(No space left"):
            run(tmp_path, shards)
    assert contents(tmp_path) == before


def test_memory_does_not_grow_with_the_dataset(tmp_path: Path) -> None:
    frames = np.zeros((50, 64, 64), np.uint8)
    rows = [add(tmp_path, f"{subject:03d}/nm-01/000", frames) for subject in range(40)]
    manifest = shard(tmp_path, 1, rows)
    tracemalloc.start()
    try:
        run(tmp_path, [manifest])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "packed" / "frames.npy").stat().st_size > 40 * frames.nbytes
    assert peak < 8 * frames.nbytes


def test_new_frames_never_stand_beside_an_old_index(
    tmp_path: Path, shards: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, shards)
    shard(tmp_path, 2, [*read_manifest(shards[1]), add(tmp_path, "003/nm-01/000")])
    real = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name == "index.csv":
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, shards)
    assert sorted(contents(tmp_path)) == sorted(set(FILES) - {"packed/index.csv"})
    assert run(tmp_path, shards).sequences == 5
