"""Reads the pickles inside weights files without running anything that they ask for.

torch's own reader keeps a list of what it calls, and still reserves whatever a file claims. Here
no function of a file is called at all: tensors come out as records of where their values lie, and
whatever else is not plain data as `Opaque`. Each opcode does a bounded amount of work, so time and
memory go with the length of the pickle.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gait.formats.records import Global, Opaque, Storage, called, kind_of, set_items

_STORAGE_ID_FIELDS = (5, 6)


@dataclass(frozen=True, slots=True)
class Pickle:
    """What a pickle holds.

    Attributes:
        content: plain values, lists, tuples, mappings, `StoredTensor` and `Opaque`.
        end: where it ends in the bytes that were given.
        storages: by their keys.
    """

    content: object
    end: int
    storages: dict[str, Storage]


class _End(Exception):
    """The pickle has ended."""


_Operation = Callable[["_Machine"], None]
_OPERATIONS: dict[int, _Operation] = {}


def read_pickle(data: bytes, start: int = 0) -> Pickle:
    """Read a pickle.

    Args:
        data: holds the pickle, and may go on behind it.
        start: where it begins.

    Raises:
        ValueError: it is cut short, malformed, or of a kind that no weights file is.
    """
    machine = _Machine(data, start)
    try:
        machine.run()
        return Pickle(machine.stack.pop(), machine.position, machine.storages)
    except (IndexError, KeyError, UnicodeError, struct.error):
        raise ValueError("its pickle is malformed or cut short") from None


class _Machine:
    """The stack machine of pickles, without the calls."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position
        self.stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self._copied = 0

    def run(self) -> None:
        data = self.data
        try:
            while True:
                code = data[self.position]
                operation = _OPERATIONS.get(code)
                if operation is None:
                    raise ValueError(
                        f"its pickle has the opcode 0x{code:02x}, which weights need not"
                    )
                self.position += 1
                operation(self)
        except _End:
            return

    def take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if count < 0 or len(taken) < count:
            raise IndexError
        self.position += count
        return taken

    def number(self, form: str) -> int:
        (value,) = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return int(value)

    def line(self) -> str:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise IndexError
        text = self.data[self.position : end].decode("utf-8")
        self.position = end + 1
        return text

    def copying(self, items: int) -> None:
        """Count what is copied: the same list again and again would be a bomb."""
        self._copied += items
        if self._copied > len(self.data):
            raise ValueError("its pickle copies more than it holds")

    def mark(self) -> None:
        self._outer.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes."""
        items, self.stack = self.stack, self._outer.pop()
        return items


def _pushing(value: Callable[[_Machine], Any]) -> _Operation:
    def operation(machine: _Machine) -> None:
        # Which stack it goes on is known only when the value has been made.
        made = value(machine)
        machine.stack.append(made)

    return operation


def _dropping(value: Callable[[_Machine], Any]) -> _Operation:
    def operation(machine: _Machine) -> None:
        value(machine)

    return operation


def _text(machine: _Machine, form: str) -> str:
    return machine.take(machine.number(form)).decode("utf-8", "surrogatepass")


def _latin(machine: _Machine, form: str) -> str:
    # Strings of Python 2, which its torch used for names.
    return machine.take(machine.number(form)).decode("latin-1")


def _integer(machine: _Machine) -> int:
    return int.from_bytes(machine.take(machine.number("B")), "little", signed=True)


def _float(machine: _Machine) -> float:
    (value,) = struct.unpack(">d", machine.take(8))
    return float(value)


def _tuple(machine: _Machine, length: int) -> tuple[Any, ...]:
    items = [machine.stack.pop() for _ in range(length)]
    return tuple(reversed(items))


def _dict(machine: _Machine) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    set_items(made, machine.marked())
    return made


def _frozenset(machine: _Machine) -> Opaque:
    machine.marked()
    return Opaque("frozenset")


def _extend(target: object, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Opaque):
        raise IndexError


def _append(machine: _Machine) -> None:
    item = machine.stack.pop()
    _extend(machine.stack[-1], [item])


def _appends(machine: _Machine) -> None:
    items = machine.marked()
    _extend(machine.stack[-1], items)


def _set_item(machine: _Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    set_items(machine.stack[-1], [key, value])


def _set_all(machine: _Machine) -> None:
    items = machine.marked()
    set_items(machine.stack[-1], items)


def _put(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _stack_global(machine: _Machine) -> Global:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not (isinstance(name, str) and isinstance(module, str)):
        raise IndexError
    return Global(module, name)


def _new(machine: _Machine, values: int) -> Opaque:
    """An object of a class with `values` arguments of its constructor."""
    for _ in range(values):
        machine.stack.pop()
    return Opaque(kind_of(machine.stack.pop()))


def _build(machine: _Machine) -> None:
    # Attributes that an object gets: of a mapping such as the version of modules, nothing else.
    machine.stack.pop()
    machine.stack[-1]


def _persistent(machine: _Machine) -> Storage:
    given = machine.stack.pop()
    if not (isinstance(given, tuple) and len(given) in _STORAGE_ID_FIELDS):
        raise IndexError
    tag, kind, key, _, numel, *view = given
    if tag != "storage" or not isinstance(kind, Global) or any(each is not None for each in view):
        raise ValueError("its tensors lie in a form of another age; save it anew with torch.save")
    if not isinstance(key, (str, int)) or type(numel) is not int or numel < 0:
        raise IndexError
    return machine.storages.setdefault(str(key), Storage(str(key), kind.name, numel))


def _stop(machine: _Machine) -> None:
    machine.stack[-1]
    raise _End


def _reduce(machine: _Machine) -> None:
    arguments, function = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(called(function, arguments, machine.copying))


_OPERATIONS.update(
    {
        ord("."): _stop,
        ord("("): lambda machine: machine.mark(),
        ord("0"): _dropping(lambda machine: machine.stack.pop()),
        ord("1"): _dropping(lambda machine: machine.marked()),
        ord("2"): _pushing(lambda machine: machine.stack[-1]),
        ord("N"): _pushing(lambda machine: None),
        0x88: _pushing(lambda machine: True),
        0x89: _pushing(lambda machine: False),
        0x80: _dropping(lambda machine: machine.take(1)),
        0x95: _dropping(lambda machine: machine.take(8)),
        # Numbers and texts.
        ord("J"): _pushing(lambda machine: machine.number("i")),
        ord("K"): _pushing(lambda machine: machine.number("B")),
        ord("M"): _pushing(lambda machine: machine.number("H")),
        0x8A: _pushing(_integer),
        ord("G"): _pushing(_float),
        ord("T"): _pushing(lambda machine: _latin(machine, "i")),
        ord("U"): _pushing(lambda machine: _latin(machine, "B")),
        ord("X"): _pushing(lambda machine: _text(machine, "I")),
        0x8C: _pushing(lambda machine: _text(machine, "B")),
        0x8D: _pushing(lambda machine: _text(machine, "Q")),
        ord("B"): _pushing(lambda machine: machine.take(machine.number("I"))),
        ord("C"): _pushing(lambda machine: machine.take(machine.number("B"))),
        0x8E: _pushing(lambda machine: machine.take(machine.number("Q"))),
        # Containers.
        ord("]"): _pushing(lambda machine: []),
        ord("}"): _pushing(lambda machine: {}),
        ord(")"): _pushing(lambda machine: ()),
        0x8F: _pushing(lambda machine: Opaque("set")),
        0x85: _pushing(lambda machine: _tuple(machine, 1)),
        0x86: _pushing(lambda machine: _tuple(machine, 2)),
        0x87: _pushing(lambda machine: _tuple(machine, 3)),
        ord("t"): _pushing(lambda machine: tuple(machine.marked())),
        ord("l"): _pushing(lambda machine: machine.marked()),
        ord("d"): _pushing(_dict),
        0x91: _pushing(_frozenset),
        ord("a"): _append,
        ord("e"): _appends,
        ord("s"): _set_item,
        ord("u"): _set_all,
        0x90: _appends,
        # The memo.
        ord("q"): lambda machine: _put(machine, machine.number("B")),
        ord("r"): lambda machine: _put(machine, machine.number("I")),
        0x94: lambda machine: _put(machine, len(machine.memo)),
        ord("h"): _pushing(lambda machine: machine.memo[machine.number("B")]),
        ord("j"): _pushing(lambda machine: machine.memo[machine.number("I")]),
        # Objects.
        ord("c"): _pushing(lambda machine: Global(machine.line(), machine.line())),
        0x93: _pushing(_stack_global),
        ord("R"): _reduce,
        0x81: _pushing(lambda machine: _new(machine, 1)),
        0x92: _pushing(lambda machine: _new(machine, 2)),
        ord("b"): _build,
        ord("Q"): _pushing(_persistent),
    }
)
