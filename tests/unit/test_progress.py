"""A long job says within seconds how far it is, and how much time is left."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gait import progress
from gait.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, in a list of one, to be moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_the_first_line_comes_within_seconds_and_tells_the_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    said = Progress("aligning 1-of-8", 1200, "sequences")
    clock[0] += 2
    said.advance(100)
    assert capsys.readouterr().out == ""
    clock[0] += 2
    said.advance(100)
    # 200 took 4 s, and 1,000 are left.
    line = "aligning 1-of-8: 200 of 1,200 sequences, 0:00:20 left\n"
    assert capsys.readouterr().out == line


def test_lines_become_rare_and_never_rarer_than_one_a_minute(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    said = Progress("embedding", 100_000, "frames")
    times = []
    for second in range(1, 3601):
        clock[0] += 1
        said.advance()
        if capsys.readouterr().out:
            times.append(second)
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] == 3 and gaps[0] == 10 and max(gaps) == gaps[-1] == 60
    assert gaps == sorted(gaps) and len(times) < 80


def test_a_long_one_of_many_tells_how_far_it_is_itself(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    said = Progress("segmenting 1-of-1", 2, "videos")
    clock[0] += 5
    said.advance(0, "001/nm-01/090: 300 frames")
    assert capsys.readouterr().out == (
        "segmenting 1-of-1: 0 of 2 videos; 001/nm-01/090: 300 frames\n"
    )


def test_the_end_has_no_time_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    said = Progress("packing silhouettes", 3, "sequences")
    clock[0] += 9
    said.advance(3)
    assert capsys.readouterr().out == "packing silhouettes: 3 of 3 sequences\n"


def test_durations_are_hours_minutes_and_seconds() -> None:
    assert [duration(each) for each in (0.4, 61, 3599.6, 86_400)] == [
        "0:00:00",
        "0:01:01",
        "1:00:00",
        "24:00:00",
    ]
