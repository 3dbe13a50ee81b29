"""The curve of a run, as lines and for TensorBoard."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
import torch

from gait.engine.history import History, Window, read_history
from gait.formats.seal import sealed_line


def _history(folder: Path, iteration: int, fingerprint: str = "f") -> History:
    return History(folder, iteration, fingerprint, {"version": "1"})


def _written(folder: Path, iterations: int = 4) -> Path:
    history = _history(folder, 0)
    for iteration in range(1, iterations + 1):
        history.add(iteration, {"loss": iteration / 2})
    history.close()
    return folder / "history.jsonl"


def _iterations(path: Path) -> list[int]:
    return [each["iteration"] for each in read_history(path)]


def _with_two_checksums(line: str) -> str:
    text = line.removesuffix("}\n")
    return f'{text}, "crc32": "{zlib.crc32(text.encode()):08x}"}}\n'


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line[: len(line) // 2] + "\n",
        lambda line: line.replace("1.5", "1.7"),
        lambda line: "\x00\xff\n",
        lambda line: "[]\n",
        lambda line: '{"iteration": 3, "loss": 1.5}\n',
        lambda line: sealed_line({"iteration": "3"}),
        lambda line: sealed_line({"iteration": 3, "run": 7}),
        _with_two_checksums,
    ],
)
def test_a_damaged_line_is_left_out_and_the_run_goes_on(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = _written(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = damage(lines[3])
    path.write_text("".join(lines), encoding="latin-1")
    assert _iterations(path) == [1, 2, 4]
    history = _history(tmp_path, 4)
    assert len(history.said) == 1 and "1 line is damaged" in history.said[0]
    assert str(path) in history.said[0]
    history.add(5, {"loss": 1.0})
    history.close()
    assert _iterations(path) == [1, 2, 4, 5]
    assert _history(tmp_path, 5).said == []


def test_any_flipped_bit_of_a_line_loses_that_line_only(tmp_path: Path) -> None:
    path = _written(tmp_path)
    whole = path.read_bytes()
    third = whole.split(b"\n")[2]
    start = whole.index(third)
    for place in range(start, start + len(third)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            assert _iterations(path) == [1, 3, 4], (place, bit)


def test_tensorboard_keeps_the_point_at_which_a_run_goes_on(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    _written(tmp_path, 4)
    for iteration in (3, 4):
        history = _history(tmp_path, iteration)
        history.add(iteration + 1, {"loss": 1.0})
        history.close()
    events = EventAccumulator(str(tmp_path / "summary"))
    events.Reload()
    assert [each.step for each in events.Scalars("loss")] == [1, 2, 3, 4, 5]
    history = _history(tmp_path, 0)
    history.add(1, {"loss": 1.0})
    history.close()
    events = EventAccumulator(str(tmp_path / "summary"))
    events.Reload()
    assert [each.step for each in events.Scalars("loss")] == [1]


def test_a_long_window_loses_no_digits() -> None:
    window = Window()
    # In single precision the second would not count.
    for value in (2.0**24, 1.0):
        window.add(torch.tensor([value]))
    assert window.means() == [(2**24 + 1) / 2]


def test_a_window_tells_the_pace_and_the_share_of_waiting() -> None:
    window = Window()
    assert (window.steps_per_s, window.wait_share, window.means()) == (0, 0, [])
    window.clock(0.2, 0.05)
    window.clock(0.3, 0.1)
    assert window.steps_per_s == pytest.approx(4)
    assert window.wait_share == pytest.approx(0.3)
    resumed = Window()
    resumed.load_state_dict(window.state_dict())
    assert resumed.steps_per_s == 0
