"""Reads pickles of NumPy arrays from anywhere: nothing in them is executed, nor trusted.

A pickle is a program for a small machine. Python's own machine calls what it is told to, and
NumPy's way to rebuild arrays trusts the pickle: a forged one makes it take bytes for objects, or
look at memory that was freed, which is as good as running the file. So neither takes part here.
`gait.formats.pickles.opcodes` carries out the opcodes that arrays are written with,
`gait.formats.pickles.array_types` builds the arrays, and the result is checked before it is
returned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gait.formats.pickles.array_types import SCALARS, STEPS, Array, Arrays, Objects, Table
from gait.formats.pickles.machine import Machine, TooManySteps
from gait.limits import FILE_BYTES, PICKLE_STEPS

# What a pickle may stand for, as parts of it may come several times: so much of each, and what a
# pickle of its size may hold anyway.
_SHARED_VALUES, _SHARED_BYTES = 2**20, 2**26
# As deep as NumPy's arrays; further down Python itself runs out of stack.
_DEEPEST = 64
_TOO_DEEP = f"values more than {_DEEPEST} levels deep"
_NUMBERS = frozenset({type(None), bool, int, float}) | SCALARS
_LEAVES = _NUMBERS | {str}


def unpickled(data: bytes, source: Path | str) -> object:
    """What a pickle of NumPy arrays and Python's own values holds, of any protocol and Python.

    Memory and time are bounded by the size of the pickle, for whoever uses the result as well: it
    is finite, at most 64 levels deep, and walking through it from end to end costs no more than
    walking through a file of that size.

    Args:
        data: the pickle.
        source: what to call it in messages.

    Returns:
        An array of truth values or numbers, in our byte order and in memory of its own; a single
        number of NumPy; None, bool, int of 64 bits, float, str, bytes; or a list, a tuple, or a
        dict of these by text or whole numbers. An array of objects is a list, of lists if it has
        several axes. Text of Python 2 is read as Latin-1.

    Raises:
        DataError: it refers to anything else, or is larger than `gait.limits` has it.
        ValueError: it is cut short, forged or no pickle.
    """
    FILE_BYTES.check(len(data), source, "a pickle")
    values, size = (2 * len(data) + shared for shared in (_SHARED_VALUES, _SHARED_BYTES))
    machine = Machine(data, Arrays(size, source))
    try:
        made = machine.run(STEPS, PICKLE_STEPS.value)
    except TooManySteps:
        PICKLE_STEPS.check(len(data), source, "a pickle of lists")
        raise
    if machine.at != len(data):
        raise ValueError(f"{len(data) - machine.at} bytes come after its end")
    return _Finish(values, size).of(made)


class _Done(NamedTuple):
    """A value as it is given out, and what it is: with everything below it, however often.

    Attributes:
        value: the value.
        values: how many there are, itself among them.
        size: the bytes of arrays and texts.
        depth: levels below it, and itself.
    """

    value: Any
    values: int
    size: int
    depth: int


@dataclass(slots=True)
class _Finish:
    """Makes Python's and NumPy's values of what the opcodes made.

    Attributes:
        values, size: the most that any value may be, see `_Done`.
        done: what is finished, by the identity of what the opcodes made.
    """

    values: int
    size: int
    done: dict[int, _Done] = field(default_factory=dict)

    def of(self, made: Any) -> Any:
        """The values; ValueError where they have no end, or one that is too far away."""
        if type(made) in _LEAVES:
            return made
        done = self.done
        # What the value at the end of the waiting ones is in.
        above: set[int] = set()
        waiting = [made]
        while waiting:
            node = waiting[-1]
            place = id(node)
            if place in done:
                waiting.pop()
            elif place in above or not (further := self._unfinished(_inside(node))):
                above.discard(place)
                waiting.pop()
                done[place] = self._one(node, _inside(node))
            else:
                above.add(place)
                if len(above) > _DEEPEST:
                    raise ValueError(_TOO_DEEP)
                if not above.isdisjoint(map(id, further)):
                    raise ValueError("a value inside of itself")
                waiting += further
        return done[id(made)].value

    def _unfinished(self, inside: Sequence[Any]) -> list[Any]:
        """Those of some values that have to be looked into; what is flat is finished here."""
        further = []
        for each in inside:
            kind = type(each)
            if kind in _LEAVES or id(each) in self.done:
                continue
            # By far the most, where there are many.
            if (kind is list or kind is tuple) and _LEAVES.issuperset(map(type, each)):
                self.done[id(each)] = _Done(each, 1 + len(each), _length(each), 1)
            elif kind is Table and not each.entries:
                self.done[id(each)] = _Done({}, 1, 0, 1)
            else:
                further.append(each)
        return further

    def _one(self, node: Any, inside: Sequence[Any]) -> _Done:
        """A value of which everything inside is done."""
        kind = type(node)
        values, size, depth, own = 1 + len(inside), _length(inside), 0, 1
        if kind is memoryview:
            size = node.nbytes
        elif kind is Array and isinstance(node.content, Objects):
            own = len(node.content.shape)
            values += own * len(inside)
        elif kind is Array and node.content is not None:
            size = node.content.nbytes
        elif kind not in (list, tuple, Table):
            raise ValueError("something that is no value")
        if not _LEAVES.issuperset(map(type, inside)):
            known: list[Any] = []
            for each in inside:
                if type(each) in _LEAVES:
                    known.append(each)
                    continue
                part = self.done[id(each)]
                known.append(part.value)
                values += part.values
                size += part.size
                depth = max(depth, part.depth)
            inside = known
        if values > self.values or size > self.size:
            raise ValueError("a few values that come again and again")
        if depth + own > _DEEPEST:
            raise ValueError(_TOO_DEEP)
        return _Done(_whole(node, inside), values, size, depth + own)


def _length(values: Sequence[Any]) -> int:
    """The characters of those that are text."""
    if _NUMBERS.issuperset(map(type, values)):
        return 0
    return sum(len(each) for each in values if type(each) is str)


def _inside(node: Any) -> Sequence[Any]:
    """What a value is made of."""
    kind = type(node)
    if kind is list or kind is tuple:
        return node  # type: ignore[no-any-return]
    if kind is Table:
        return node.entries  # type: ignore[no-any-return]
    if kind is Array and isinstance(node.content, Objects):
        return node.content.values
    return ()


def _whole(node: Any, inside: Sequence[Any]) -> Any:
    """A value of these parts."""
    kind = type(node)
    if kind is list:
        return inside
    if kind is tuple:
        return tuple(inside)
    if kind is Table:
        return dict(zip(map(_key, inside[::2]), inside[1::2], strict=True))
    if kind is memoryview:
        return bytes(node)
    content = node.content
    return _nested(inside, content.shape) if isinstance(content, Objects) else content


def _key(key: Any) -> str | int:
    """A key that cannot be costly to look up, as text and numbers of 64 bits cannot."""
    if isinstance(key, np.integer):
        return int(key)
    if type(key) is str or type(key) is int:
        return key
    raise ValueError("a key that is neither text nor a whole number")


def _nested(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """The values of an array of objects, in a list for each axis; the only one, without axes."""
    if math.prod(shape) != len(values) or (not values and len(shape) > 1):
        raise ValueError("an array of objects of another number than its shape tells")
    for axis in shape[:0:-1]:
        values = [values[start : start + axis] for start in range(0, len(values), axis)]
    return list(values) if shape else values[0]
