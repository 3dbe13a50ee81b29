"""The machine that a pickle is a program for, without the calls: its bytes, its stack, its memo.

What names, calls and containers stand for is told by a `Builder`, one for each use. Each opcode
does a bounded amount of work, so that time and memory go with the length of the pickle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

_STOP = ord(".")


class Malformed(ValueError):
    """What no writer leaves: it is cut short, forged or no pickle."""


class TooManySteps(ValueError):
    """A pickle has more opcodes than it may have."""


class Builder(ABC):
    """Makes what the opcodes of a pickle ask for, in one use of pickles.

    Attributes:
        longest_int: bits of a whole number.
    """

    longest_int: ClassVar[int] = 64

    @abstractmethod
    def refusal(self, code: int, place: int) -> str:
        """Why an opcode that this use has no need of is not carried out."""

    @abstractmethod
    def name(self, module: str, name: str) -> Any:
        """What stands for something that the pickle refers to."""

    @abstractmethod
    def call(self, function: Any, arguments: Any) -> Any:
        """What stands for the result of a call."""

    @abstractmethod
    def fill(self, target: Any, state: Any) -> None:
        """Give something the state that it is in."""

    @abstractmethod
    def mapping(self) -> Any:
        """What stands for a dict, an empty one."""

    @abstractmethod
    def update(self, target: Any, entries: list[Any]) -> None:
        """Give a mapping keys and values in turn."""

    def extend(self, target: Any, values: list[Any]) -> None:
        """Give a list further values."""
        if type(target) is not list:
            raise Malformed("items for something that has none")
        target.extend(values)

    def content(self, view: memoryview) -> Any:
        """What stands for bytes."""
        return view

    def new(self, kind: Any) -> Any:
        """What stands for an object of a kind, whatever is in it."""
        raise Malformed("an object that is not asked for by a call")

    def persistent(self, given: Any) -> Any:
        """What stands for something beside the pickle."""
        raise Malformed("something that lies elsewhere")


class Machine:
    """A pickle, its stack and its memo.

    Args:
        data: holds the pickle, and may go on behind it.
        builder: makes what it asks for.
        start: where it begins.
    """

    def __init__(self, data: bytes, builder: Builder, start: int = 0) -> None:
        self.data = data
        self.builder = builder
        self.size = len(data)
        self.at = start
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self._bytes = memoryview(data)

    def run(self, steps: Sequence[OpcodeStep | None], most: int | None = None) -> Any:
        """What the pickle makes; `at` is where it ends.

        Args:
            steps: what each opcode does, see `gait.formats.pickles.opcodes`.
            most: opcodes that it may have; as many as bytes by default.

        Raises:
            Malformed: it is cut short, forged or no pickle.
            TooManySteps: it has more opcodes.
            ValueError: an opcode is not allowed, or whatever the builder raises.
        """
        data, size, taken = self.data, self.size, 0
        most = size if most is None else most
        while self.at < size:
            code = data[self.at]
            self.at += 1
            if code == _STOP:
                if self.marks or len(self.stack) != 1:
                    raise Malformed("it ends before its values are complete")
                return self.stack[0]
            step = steps[code]
            if step is None:
                raise ValueError(self.builder.refusal(code, self.at - 1))
            step(self)
            taken += 1
            if taken > most:
                raise TooManySteps
        raise Malformed("it ends too early")

    def take(self, size: int) -> bytes:
        """The next bytes, a few."""
        self.at += size
        if self.at > self.size:
            raise Malformed("it ends too early")
        return self.data[self.at - size : self.at]

    def view(self, length_bytes: int) -> memoryview:
        """The next bytes after their number, which takes so many bytes itself; not copied."""
        size = int.from_bytes(self.take(length_bytes), "little")
        start, self.at = self.at, self.at + size
        if self.at > self.size:
            raise Malformed("it ends too early")
        return self._bytes[start : self.at]

    def line(self, longest: int | None = None) -> bytes:
        """The bytes up to the end of the line, which is read over."""
        end = self.data.find(b"\n", self.at, None if longest is None else self.at + longest + 1)
        if end < 0:
            raise Malformed("a line without an end, or longer than any that is written")
        start, self.at = self.at, end + 1
        return self.data[start:end]

    def pop(self) -> Any:
        """The last value since the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Malformed("a value that is not there")
        return self.stack.pop()

    def last(self) -> Any:
        """The same, left where it is."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Malformed("a value that is not there")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """All values since the last mark, which go with it."""
        if not self.marks:
            raise Malformed("a mark that is not there")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values


OpcodeStep = Callable[[Machine], None]
