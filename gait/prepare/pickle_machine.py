"""The machine that a pickle is a program for: its bytes, its stack and its memo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gait.limits import PICKLE_STEPS
from gait.prepare.pickled_arrays import Builder

_STOP = ord(".")


class Table:
    """A dict: its keys and values in turn."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries


class Machine:
    """A pickle, its stack and its memo.

    Args:
        data: the pickle.
        source: what to call it in messages.
        builder: makes arrays.
    """

    def __init__(self, data: bytes, source: Path | str, builder: Builder) -> None:
        self.data = data
        self.source = source
        self.builder = builder
        self.size = len(data)
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self._bytes = memoryview(data)

    def run(self, steps: Sequence[Step | None]) -> Any:
        """What the pickle makes, see `gait.prepare.pickle_opcodes`.

        Args:
            steps: what each opcode does; None for those that are not allowed.

        Raises:
            DataError: it refers to something else than arrays, or has too many opcodes.
            ValueError: it is cut short, forged or no pickle.
        """
        data, size, taken = self.data, self.size, 0
        most = PICKLE_STEPS.value
        while self.at < size:
            code = data[self.at]
            self.at += 1
            if code == _STOP:
                return self._result()
            step = steps[code]
            if step is None:
                raise ValueError(f"byte {self.at - 1} is no part of a pickle of arrays")
            step(self)
            taken += 1
            if taken > most:
                PICKLE_STEPS.check(size, self.source, "a pickle of lists")
        raise ValueError("it ends too early")

    def _result(self) -> Any:
        if self.marks or len(self.stack) != 1:
            raise ValueError("it ends before its values are complete")
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes come after its end")
        return self.stack[0]

    def take(self, size: int) -> bytes:
        """The next bytes, a few."""
        self.at += size
        if self.at > self.size:
            raise ValueError("it ends too early")
        return self.data[self.at - size : self.at]

    def view(self, length_bytes: int) -> memoryview:
        """The next bytes after their number, which takes so many bytes itself; not copied."""
        size = int.from_bytes(self.take(length_bytes), "little")
        start, self.at = self.at, self.at + size
        if self.at > self.size:
            raise ValueError("it ends too early")
        return self._bytes[start : self.at]

    def line(self, longest: int | None = None) -> bytes:
        """The bytes up to the end of the line, which is read over."""
        end = self.data.find(b"\n", self.at, None if longest is None else self.at + longest + 1)
        if end < 0:
            raise ValueError("a line without an end, or longer than any that is written")
        start, self.at = self.at, end + 1
        return self.data[start:end]

    def pop(self) -> Any:
        """The last value since the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("a value that is not there")
        return self.stack.pop()

    def last(self, kind: type[Any]) -> Any:
        """The same, left where it is; ValueError where it is of another type."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("a value that is not there")
        if type(self.stack[-1]) is not kind:
            raise ValueError("items for something that has none")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """All values since the last mark, which go with it."""
        if not self.marks:
            raise ValueError("a mark that is not there")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values


Step = Callable[[Machine], None]
