"""Carries out the opcodes of pickles, of any protocol, as far as data is written with them.

What they make is Python's None, numbers, text, tuples and lists; whatever else is made by the
builder. No value is compared, hashed or shown here, so that none can be costly however it was
woven; those who use pickles look at what came out.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Callable
from typing import Any

from gait.formats.pickles.machine import Machine, Malformed, OpcodeStep

_HIGHEST_PROTOCOL = 5
# Digits of a number as text.
_LONGEST_NUMBER = 40
_LONGEST_NAME = 256
# What Python 2's own repr writes of bytes.
_PLAIN = re.compile(rb"(?:[^\\]|\\(?:x[0-9a-fA-F]{2}|[\\'\"abfnrtv0]))*+", re.DOTALL)


def _byte(machine: Machine) -> None:
    machine.stack.append(machine.take(1)[0])


def _proto(machine: Machine) -> None:
    if machine.take(1)[0] > _HIGHEST_PROTOCOL:
        raise Malformed("a protocol that no Python writes")


def _frame(machine: Machine) -> None:
    machine.take(8)


def _mark(machine: Machine) -> None:
    machine.marks.append(len(machine.stack))


def _push(value: object) -> OpcodeStep:
    def push(machine: Machine) -> None:
        machine.stack.append(value)

    return push


def _packed(form: str) -> OpcodeStep:
    packed = struct.Struct(form)
    size, unpack = packed.size, packed.unpack

    def push(machine: Machine) -> None:
        machine.stack.append(unpack(machine.take(size))[0])

    return push


def _int_line(machine: Machine) -> None:
    line = machine.line(_LONGEST_NUMBER)
    # Truth values, which the protocols 0 and 1 do not know.
    truth = {b"00": False, b"01": True}.get(line)
    machine.stack.append(_bounded(machine, int(line)) if truth is None else truth)


def _long_line(machine: Machine) -> None:
    line = machine.line(_LONGEST_NUMBER).removesuffix(b"L")
    machine.stack.append(_bounded(machine, int(line)))


def _bounded(machine: Machine, number: int) -> int:
    bits = machine.builder.longest_int
    if not -(1 << (bits - 1)) <= number < 1 << bits:
        raise Malformed(_too_long(machine))
    return number


def _too_long(machine: Machine) -> str:
    return f"a whole number of more than {machine.builder.longest_int} bits"


def _long(length_bytes: int) -> OpcodeStep:
    def push(machine: Machine) -> None:
        digits = machine.view(length_bytes)
        # One more for the sign, as numbers without one may take all the bits.
        if len(digits) > machine.builder.longest_int // 8 + 1:
            raise Malformed(_too_long(machine))
        number = int.from_bytes(digits, "little", signed=True)
        machine.stack.append(_bounded(machine, number))

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
        raise Malformed("a text that Python 2 does not write")
    machine.stack.append(codecs.escape_decode(quoted)[0].decode("latin-1"))


def _string(length_bytes: int) -> OpcodeStep:
    def push(machine: Machine) -> None:
        machine.stack.append(str(machine.view(length_bytes), "latin-1"))

    return push


def _unicode_line(machine: Machine) -> None:
    machine.stack.append(str(machine.line(), "raw-unicode-escape"))


def _unicode(length_bytes: int) -> OpcodeStep:
    def push(machine: Machine) -> None:
        machine.stack.append(str(machine.view(length_bytes), "utf-8", "surrogatepass"))

    return push


def _binary(length_bytes: int) -> OpcodeStep:
    def push(machine: Machine) -> None:
        machine.stack.append(machine.builder.content(machine.view(length_bytes)))

    return push


def _empty_list(machine: Machine) -> None:
    machine.stack.append([])


def _list(machine: Machine) -> None:
    machine.stack.append(machine.since_mark())


def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.builder.extend(machine.last(), [value])


def _appends(machine: Machine) -> None:
    values = machine.since_mark()
    machine.builder.extend(machine.last(), values)


def _tuple(machine: Machine) -> None:
    machine.stack.append(tuple(machine.since_mark()))


def _tuple_of(size: int) -> OpcodeStep:
    def push(machine: Machine) -> None:
        start = len(machine.stack) - size
        if start < (machine.marks[-1] if machine.marks else 0):
            raise Malformed("a value that is not there")
        machine.stack[start:] = [tuple(machine.stack[start:])]

    return push


def _empty_dict(machine: Machine) -> None:
    machine.stack.append(machine.builder.mapping())


def _dict(machine: Machine) -> None:
    entries = _in_pairs(machine.since_mark())
    made = machine.builder.mapping()
    machine.builder.update(made, entries)
    machine.stack.append(made)


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.builder.update(machine.last(), [key, value])


def _set_items(machine: Machine) -> None:
    entries = _in_pairs(machine.since_mark())
    machine.builder.update(machine.last(), entries)


def _in_pairs(entries: list[Any]) -> list[Any]:
    if len(entries) % 2:
        raise Malformed("a key without a value")
    return entries


def _put(place: Callable[[Machine], int]) -> OpcodeStep:
    def remember(machine: Machine) -> None:
        value = machine.last()
        machine.memo[place(machine)] = value

    return remember


def _get(place: Callable[[Machine], int]) -> OpcodeStep:
    def recall(machine: Machine) -> None:
        try:
            machine.stack.append(machine.memo[place(machine)])
        except KeyError:
            raise Malformed("it refers to a value that is not there") from None

    return recall


def _put_byte(machine: Machine) -> None:
    # As `_put` does, in one step, as most opcodes of arrays and tensors are of this kind.
    stack = machine.stack
    if len(stack) <= (machine.marks[-1] if machine.marks else 0) or machine.at == machine.size:
        raise Malformed("a value that is not there")
    machine.memo[machine.data[machine.at]] = stack[-1]
    machine.at += 1


def _place_line(machine: Machine) -> int:
    return int(machine.line(_LONGEST_NUMBER))


def _place(length_bytes: int) -> Callable[[Machine], int]:
    return lambda machine: int.from_bytes(machine.take(length_bytes), "little")


def _global_lines(machine: Machine) -> None:
    _global(machine, *(str(machine.line(_LONGEST_NAME), "utf-8") for _ in range(2)))


def _global_on_stack(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _global(machine, module, name)


def _global(machine: Machine, module: object, name: object) -> None:
    if type(module) is not str or type(name) is not str:
        raise Malformed("a name that is no text")
    machine.stack.append(machine.builder.name(module, name))


def _reduce(machine: Machine) -> None:
    arguments, name = machine.pop(), machine.pop()
    machine.stack.append(machine.builder.call(name, arguments))


def _build(machine: Machine) -> None:
    state = machine.pop()
    target = machine.pop()
    machine.builder.fill(target, state)
    machine.stack.append(target)


def _new(arguments: int) -> OpcodeStep:
    """An object made without a call, and with so many values that are passed over."""

    def push(machine: Machine) -> None:
        for _ in range(arguments):
            machine.pop()
        machine.stack.append(machine.builder.new(machine.pop()))

    return push


def _empty_set(machine: Machine) -> None:
    machine.stack.append(machine.builder.new(set))


def _frozen_set(machine: Machine) -> None:
    machine.since_mark()
    machine.stack.append(machine.builder.new(frozenset))


def _persistent(machine: Machine) -> None:
    machine.stack.append(machine.builder.persistent(machine.pop()))


def _drop(machine: Machine) -> None:
    machine.pop()


def _drop_marked(machine: Machine) -> None:
    machine.since_mark()


def _again(machine: Machine) -> None:
    machine.stack.append(machine.last())


_STEPS: dict[bytes, OpcodeStep] = {
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
    b"\x81": _new(1),
    b"\x92": _new(2),
    b"\x8f": _empty_set,
    b"\x90": _appends,
    b"\x91": _frozen_set,
    b"Q": _persistent,
    b"0": _drop,
    b"1": _drop_marked,
    b"2": _again,
}


def steps(allowed: bytes) -> list[OpcodeStep | None]:
    """What each opcode does, by its code; None for one that is not among those allowed."""
    return [_STEPS[bytes([code])] if code in allowed else None for code in range(256)]
