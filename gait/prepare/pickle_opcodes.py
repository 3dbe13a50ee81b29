"""Carries out the opcodes of a pickle that benign writers of arrays use, and no others.

What they make is Python's None, numbers, text and tuples, `list`, `Table` for a dict, `memoryview`
for bytes, and what `gait.prepare.pickled_arrays` makes. No value is compared, hashed or shown, so
that none can be costly however it was woven; `gait.prepare.unpickle` looks at them afterwards.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable
from typing import Any

from gait.errors import DataError
from gait.prepare.pickle_machine import Machine, Step, Table
from gait.prepare.pickled_arrays import NAMES

_HIGHEST_PROTOCOL = 5
# Digits of a number as text, and bytes of one in binary: all whole numbers of 64 bits.
_LONGEST_NUMBER, _LONGEST_INT = 40, 9
_LONGEST_NAME = 256
_SHOWN = 60
# What Python 2's own repr writes of bytes.
_PLAIN = re.compile(rb"(?:[^\\]|\\(?:x[0-9a-fA-F]{2}|[\\'\"abfnrtv0]))*+", re.DOTALL)


def _byte(machine: Machine) -> None:
    machine.stack.append(machine.take(1)[0])


def _proto(machine: Machine) -> None:
    if machine.take(1)[0] > _HIGHEST_PROTOCOL:
        raise ValueError("a protocol that no Python writes")


def _frame(machine: Machine) -> None:
    machine.take(8)


def _mark(machine: Machine) -> None:
    machine.marks.append(len(machine.stack))


def _push(value: object) -> Step:
    def push(machine: Machine) -> None:
        machine.stack.append(value)

    return push


def _packed(form: str) -> Step:
    packed = struct.Struct(form)
    size, unpack = packed.size, packed.unpack

    def push(machine: Machine) -> None:
        machine.stack.append(unpack(machine.take(size))[0])

    return push


def _int_line(machine: Machine) -> None:
    line = machine.line(_LONGEST_NUMBER)
    # Truth values, which the protocols 0 and 1 do not know.
    truth = {b"00": False, b"01": True}.get(line)
    machine.stack.append(_whole(line) if truth is None else truth)


def _long_line(machine: Machine) -> None:
    machine.stack.append(_whole(machine.line(_LONGEST_NUMBER).removesuffix(b"L")))


def _whole(line: bytes) -> int:
    return _small(int(line))


def _small(number: int) -> int:
    if not -(2**63) <= number < 2**64:
        raise ValueError("a whole number of more than 64 bits")
    return number


def _long(length_bytes: int) -> Step:
    def push(machine: Machine) -> None:
        digits = machine.view(length_bytes)
        if len(digits) > _LONGEST_INT:
            raise ValueError("a whole number of more than 64 bits")
        machine.stack.append(_small(int.from_bytes(digits, "little", signed=True)))

    return push


def _float_line(machine: Machine) -> None:
    machine.stack.append(float(machine.line(_LONGEST_NUMBER)))


def _string_line(machine: Machine) -> None:
    line = machine.line().rstrip(b"\r")
    quoted = line[1:-1]
    if (
        len(line) < 2
        or line[0] != line[-1]
        or line[0] not in b"'\""
        or not _PLAIN.fullmatch(quoted)
    ):
        raise ValueError("a text that Python 2 does not write")
    machine.stack.append(codecs.escape_decode(quoted)[0].decode("latin-1"))


def _string(length_bytes: int) -> Step:
    def push(machine: Machine) -> None:
        machine.stack.append(str(machine.view(length_bytes), "latin-1"))

    return push


def _unicode_line(machine: Machine) -> None:
    machine.stack.append(str(machine.line(), "raw-unicode-escape"))


def _unicode(length_bytes: int) -> Step:
    def push(machine: Machine) -> None:
        machine.stack.append(str(machine.view(length_bytes), "utf-8", "surrogatepass"))

    return push


def _binary(length_bytes: int) -> Step:
    def push(machine: Machine) -> None:
        machine.stack.append(machine.view(length_bytes))

    return push


def _empty_list(machine: Machine) -> None:
    machine.stack.append([])


def _list(machine: Machine) -> None:
    machine.stack.append(machine.since_mark())


def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.last(list).append(value)


def _appends(machine: Machine) -> None:
    values = machine.since_mark()
    machine.last(list).extend(values)


def _tuple(machine: Machine) -> None:
    machine.stack.append(tuple(machine.since_mark()))


def _tuple_of(size: int) -> Step:
    def push(machine: Machine) -> None:
        start = len(machine.stack) - size
        if start < (machine.marks[-1] if machine.marks else 0):
            raise ValueError("a value that is not there")
        machine.stack[start:] = [tuple(machine.stack[start:])]

    return push


def _empty_dict(machine: Machine) -> None:
    machine.stack.append(Table([]))


def _dict(machine: Machine) -> None:
    machine.stack.append(Table(_in_pairs(machine.since_mark())))


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.last(Table).entries.extend((key, value))


def _set_items(machine: Machine) -> None:
    entries = _in_pairs(machine.since_mark())
    machine.last(Table).entries.extend(entries)


def _in_pairs(entries: list[Any]) -> list[Any]:
    if len(entries) % 2:
        raise ValueError("a key without a value")
    return entries


def _put(place: Callable[[Machine], int]) -> Step:
    def remember(machine: Machine) -> None:
        if len(machine.stack) <= (machine.marks[-1] if machine.marks else 0):
            raise ValueError("a value that is not there")
        machine.memo[place(machine)] = machine.stack[-1]

    return remember


def _get(place: Callable[[Machine], int]) -> Step:
    def recall(machine: Machine) -> None:
        try:
            machine.stack.append(machine.memo[place(machine)])
        except KeyError:
            raise ValueError("it refers to a value that is not there") from None

    return recall


def _put_byte(machine: Machine) -> None:
    # As `_put` does, in one step, as most opcodes of an array are of this kind.
    stack = machine.stack
    if len(stack) <= (machine.marks[-1] if machine.marks else 0) or machine.at == machine.size:
        raise ValueError("a value that is not there")
    machine.memo[machine.data[machine.at]] = stack[-1]
    machine.at += 1


def _place_line(machine: Machine) -> int:
    return _whole(machine.line(_LONGEST_NUMBER))


def _place(length_bytes: int) -> Callable[[Machine], int]:
    return lambda machine: int.from_bytes(machine.take(length_bytes), "little")


def _global_lines(machine: Machine) -> None:
    _global(machine, *(str(machine.line(_LONGEST_NAME), "utf-8") for _ in range(2)))


def _global_on_stack(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _global(machine, module, name)


def _global(machine: Machine, module: object, name: object) -> None:
    if type(module) is not str or type(name) is not str:
        raise ValueError("a name that is no text")
    meant = NAMES.get((module, name))
    if meant is None:
        asked = ".".join(ascii(each[:_SHOWN])[1:-1] for each in (module, name))
        raise DataError(
            f"{machine.source}: expected a pickled NumPy array and nothing else, but the file "
            f"asks for {asked}, which was not run; if you trust whoever wrote it, let them "
            "write it anew as arrays of numbers, otherwise do not use this file"
        )
    machine.stack.append(meant)


def _reduce(machine: Machine) -> None:
    arguments, name = machine.pop(), machine.pop()
    machine.stack.append(machine.builder.call(name, arguments))


def _build(machine: Machine) -> None:
    state = machine.pop()
    target = machine.pop()
    machine.builder.fill(target, state)
    machine.stack.append(target)


_ALLOWED: dict[bytes, Step] = {
    b"\x80": _proto,
    b"\x95": _frame,
    b"(": _mark,
    b"N": _push(None),
    b"\x88": _push(True),
    b"\x89": _push(False),
    b"I": _int_line,
    b"L": _long_line,
    b"J": _packed("<i"),
    b"K": _byte,
    b"M": _packed("<H"),
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"F": _float_line,
    b"G": _packed(">d"),
    b"S": _string_line,
    b"T": _string(4),
    b"U": _string(1),
    b"V": _unicode_line,
    b"\x8c": _unicode(1),
    b"X": _unicode(4),
    b"\x8d": _unicode(8),
    b"C": _binary(1),
    b"B": _binary(4),
    b"\x8e": _binary(8),
    b"\x96": _binary(8),
    b"]": _empty_list,
    b"l": _list,
    b"a": _append,
    b"e": _appends,
    b")": _push(()),
    b"t": _tuple,
    b"\x85": _tuple_of(1),
    b"\x86": _tuple_of(2),
    b"\x87": _tuple_of(3),
    b"}": _empty_dict,
    b"d": _dict,
    b"s": _set_item,
    b"u": _set_items,
    b"p": _put(_place_line),
    b"q": _put_byte,
    b"r": _put(_place(4)),
    b"\x94": _put(lambda machine: len(machine.memo)),
    b"g": _get(_place_line),
    b"h": _get(_place(1)),
    b"j": _get(_place(4)),
    b"c": _global_lines,
    b"\x93": _global_on_stack,
    b"R": _reduce,
    b"b": _build,
}
# What each opcode does, by its code; None for one that is not allowed.
STEPS = [_ALLOWED.get(bytes([code])) for code in range(256)]
