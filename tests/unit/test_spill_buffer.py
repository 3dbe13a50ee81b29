"""Files out of an archive wait in memory, and on the disk beyond that."""

from __future__ import annotations

from pathlib import Path

import pytest

from gait.errors import DataError
from gait.prepare.raw import spill_buffer


def test_the_disk_is_full_where_files_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_buffer, "MEMORY_BYTES", 0)
    waiting = spill_buffer.SpillBuffer(tmp_path / "gone")
    with pytest.raises(DataError, match=r"gone: files out of an archive cannot wait .*; free sp"):
        waiting.put("a", "1.png", (b"x", ""))


def test_held_files_are_replaced_and_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_buffer, "MEMORY_BYTES", 10)
    waiting = spill_buffer.SpillBuffer(tmp_path)
    for data in (b"12345678", b"abcd", b"123456"):
        waiting.put("a", "1", (data, ""))
    waiting.put("a", "2", (b"on the disk", "damaged"))
    files = waiting.get("a", lambda name: True)
    assert dict(files) == {"1": (b"123456", ""), "2": (b"on the disk", "damaged")}
    assert [*waiting.get("a", lambda name: name == "2")] == ["2"]
    waiting.drop("a")
    assert not waiting.get("a", lambda name: True)
    waiting.put("b", "1", (b"1234567890", ""))
    assert dict(waiting.get("b", lambda name: True)) == {"1": (b"1234567890", "")}
    waiting.close()
