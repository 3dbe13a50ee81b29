"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gait.errors import DataError
from gait.files import atomic_path, write_if_changed


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_writes_and_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "table.csv"
    assert write_if_changed(path, "x,y\n1,é\n")
    assert path.read_bytes() == "x,y\n1,é\n".encode()
    assert names(path.parent) == ["table.csv"]


def test_same_content_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_if_changed(path, "one\n")
    os.utime(path, ns=(1_000, 1_000))
    assert not write_if_changed(path, "one\n")
    assert path.stat().st_mtime_ns == 1_000
    assert write_if_changed(path, "two\n")
    assert path.stat().st_mtime_ns != 1_000


def test_same_length_is_not_same_content(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_if_changed(path, "aaa")
    assert write_if_changed(path, "bbb")
    assert path.read_text() == "bbb"


def test_temporary_keeps_suffix_and_folder(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".avi"
        assert temporary.parent == path.parent
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    write_if_changed(path, "old\n")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError) as caught:
        write_if_changed(path, "new and longer\n")
    assert str(path) in str(caught.value)
    assert "No space left on device" in str(caught.value)
    assert "free space" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old\n"
    assert names(tmp_path) == ["table.csv"]


def test_failed_replacement_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(DataError, match=r"Permission denied.*make its folder writable"):
        write_if_changed(tmp_path / "table.csv", "new")
    assert names(tmp_path) == []


def test_parent_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError, match=r"table\.csv: cannot be written"):
        write_if_changed(tmp_path / "data" / "table.csv", "new")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_any_other_failure_passes_and_cleans_up(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "masks.npz"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert names(tmp_path) == ["masks.npz"]
    assert path.read_bytes() == b"old"


def test_error_about_another_file_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x.npz") as temporary:
        temporary.write_bytes(b"half")
        (tmp_path / "raw" / "missing.png").read_bytes()
    assert names(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
from gait.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_writer_leaves_goes_with_the_next_one(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / ("long" * 60 + ".csv")
    command = [sys.executable, "-c", KILLED, str(path), str(int(number))]
    assert subprocess.run(command, check=False).returncode == -number
    assert len(names(tmp_path)) == 1
    write_if_changed(path, "whole\n")
    assert names(tmp_path) == [path.name]


def test_a_writer_leaves_alone_what_others_are_writing(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with atomic_path(path) as first:
        first.write_text("first")
        with atomic_path(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert names(tmp_path) == ["table.csv"]
