"""Mark each executed line, in a file that all processes of a run map into memory.

The file holds a byte for each line of the mutated sources, once for each slot: slot 0 for what
tests share (imports, wide fixtures), and one for each test. Its head says which slot is at work.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.mutants.tree import sources

VARIABLE = "GAIT_MUTANTS_MARKS"
HEAD = 8
_MOST_SLOTS = 4000
_TREE = Path(__file__).parents[2]


class Slots:
    """A plugin of pytest that gives each test a slot, and writes down what it took.

    Args:
        marks: the file; beside it, as JSON, come the tests with their seconds, by slot.
    """

    def __init__(self, marks: Path) -> None:
        self._marks = marks
        self._seconds: dict[str, float] = {}
        with marks.open("wb") as file:
            file.truncate(HEAD + _MOST_SLOTS * sum(sizes(_TREE).values()))
        os.environ[VARIABLE] = str(marks)
        self._map = watch()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._seconds[item.nodeid] = 0.0
        self._set(len(self._seconds))
        try:
            return (yield)
        finally:
            self._set(0)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Generator[None, object, object]:
        before = self._map[:HEAD]
        if fixturedef.scope != "function":
            self._set(0)
        try:
            return (yield)
        finally:
            self._map[:HEAD] = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        self._marks.with_suffix(".json").write_text(json.dumps(self._seconds))

    def _set(self, slot: int) -> None:
        self._map[:HEAD] = slot.to_bytes(HEAD, "little")


def watch() -> mmap.mmap:
    """Begin to mark lines in this process and in those that it forks."""
    with Path(os.environ[VARIABLE]).open("r+b") as file:
        marks = mmap.mmap(file.fileno(), 0)
    starts, total = {}, 0
    for path, size in sizes(_TREE).items():
        starts[str(_TREE / path)] = HEAD + total
        total += size

    def each_line(frame: FrameType, event: str, _: Any) -> Any:
        slot = int.from_bytes(marks[:HEAD], "little")
        marks[starts[frame.f_code.co_filename] + slot * total + frame.f_lineno] = 1
        return each_line

    def each_call(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename in starts:
            return each_line(frame, event, argument)
        return None

    threading.settrace(each_call)
    sys.settrace(each_call)
    return marks


def sizes(tree: Path) -> dict[str, int]:
    """Give the bytes that each source has in a slot; its lines count from 1."""
    return {each: (tree / each).read_bytes().count(b"\n") + 2 for each in sources(tree)}
