"""What a pickle of arrays refers to by name, and the arrays that are made of it here.

Nothing of NumPy's own for pickles takes part: an array is made once, from bytes that its type and
shape account for exactly, and no opcode can reach into it afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.pickles.machine import Builder, Malformed
from gait.formats.pickles.opcodes import steps

# Truth values, whole, real and complex numbers, and Python's own values.
_CODE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|c8|c16|O8?)", re.ASCII)
_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
SCALARS = frozenset(np.dtype(code).type for code in _CODES)
# As many as any NumPy allows; a shape is looked at only after that.
_AXES = 32
# More than any file holds, and less than whatever overflows.
_MOST_ITEMS = 2**44
_SHOWN = 60

# What benign writers of arrays use, and nothing else.
STEPS = steps(
    b"\x80\x95(N\x88\x89ILJKM\x8a\x8bFGSTUV\x8cX\x8dCB\x8e\x96"
    b"]lae)t\x85\x86\x87}dsupqr\x94ghjc\x93Rb"
)


class Name(Enum):
    """What a pickle may refer to; Python never sees these names."""

    ndarray = auto()
    dtype = auto()
    reconstruct = auto()
    scalar = auto()
    frombuffer = auto()
    encode = auto()
    empty_bytes = auto()


NAMES: dict[tuple[str, str], Name] = {
    ("numpy", "ndarray"): Name.ndarray,
    # A plain array once it is pickled.
    ("numpy", "memmap"): Name.ndarray,
    ("numpy.core.memmap", "memmap"): Name.ndarray,
    ("numpy", "dtype"): Name.dtype,
    # Bytes in protocols 0 to 2, which know text only.
    ("_codecs", "encode"): Name.encode,
    ("__builtin__", "bytes"): Name.empty_bytes,
    ("builtins", "bytes"): Name.empty_bytes,
    # As NumPy 1 and 2 call them.
    **{
        (f"numpy.{core}.{module}", name): meant
        for core in ("core", "_core")
        for module, name, meant in (
            ("multiarray", "_reconstruct", Name.reconstruct),
            ("multiarray", "scalar", Name.scalar),
            ("numeric", "_frombuffer", Name.frombuffer),
        )
    },
}


class Kind:
    """The type of an array's items, whose byte order is told once."""

    __slots__ = ("_is_told", "dtype")

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        code = arguments[0] if arguments else None
        if type(code) is not str or not (found := _CODE.fullmatch(code[:8])) or len(code) > 8:
            raise ValueError("an array of something else than numbers")
        self.dtype: np.dtype[Any] = np.dtype("O" if found[1][0] == "O" else found[0])
        self._is_told = False

    def tell(self, state: object) -> None:
        """Take the byte order from a state; ValueError for one of records, or a second one."""
        if self._is_told or type(state) is not tuple or not 5 <= len(state) <= 9:
            raise ValueError("a type of numbers with a state that NumPy does not write")
        order = state[1]
        is_plain = all(each is None for each in state[2:5])
        if not is_plain or type(order) is not str or order not in ("<", ">", "|", "="):
            raise ValueError("an array of records, expected numbers")
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]
        self._is_told = True


@dataclass(frozen=True, slots=True)
class Objects:
    """The values of an array of objects, row by row."""

    shape: tuple[int, ...]
    values: list[Any]


class Array:
    """An array, blank until it is filled, which it is once."""

    __slots__ = ("content",)

    def __init__(self, content: NDArray[Any] | None = None) -> None:
        self.content: NDArray[Any] | Objects | None = content


class Table:
    """A dict: its keys and values in turn, which are not looked at."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries


class Arrays(Builder):
    """Makes arrays as long as they do not take more bytes than allowed, all together.

    Args:
        allowed_bytes: how many.
        source: what to call the pickle in messages.
    """

    def __init__(self, allowed_bytes: int, source: Path | str) -> None:
        self._left = allowed_bytes
        self._source = source

    def refusal(self, code: int, place: int) -> str:
        return f"byte {place} is no part of a pickle of arrays"

    def name(self, module: str, name: str) -> Name:
        """One of `NAMES`; DataError for anything else."""
        meant = NAMES.get((module, name))
        if meant is None:
            asked = ".".join(ascii(each[:_SHOWN])[1:-1] for each in (module, name))
            raise DataError(
                f"{self._source}: expected a pickled NumPy array and nothing else, but the file "
                f"asks for {asked}, which was not run; if you trust whoever wrote it, let them "
                "write it anew as arrays of numbers, otherwise do not use this file"
            )
        return meant

    def mapping(self) -> Table:
        return Table([])

    def update(self, target: object, entries: list[Any]) -> None:
        if type(target) is not Table:
            raise Malformed("items for something that has none")
        target.entries.extend(entries)

    def call(self, name: object, arguments: object) -> object:
        """What stands for the result of a call; ValueError for one that NumPy does not write."""
        if type(name) is not Name or type(arguments) is not tuple:
            raise ValueError("a call of something that was not asked for by its name")
        match name, arguments:
            case Name.dtype, _:
                return Kind(arguments)
            case Name.reconstruct, (Name.ndarray, _, _):
                return Array()
            case Name.scalar, (Kind() as kind, content):
                return self.array(kind, (), content, "C")[()]
            case Name.frombuffer, (content, Kind() as kind, shape, "C" | "F" as order):
                return Array(self.array(kind, shape, content, order))
            # NumPy 2 tells of axes that were turned which place each has in the bytes.
            case Name.frombuffer, (content, Kind() as kind, shape, "C" | "F" as order, None):
                return Array(self.array(kind, shape, content, order))
            case Name.frombuffer, (content, Kind() as kind, shape, "K", tuple() as axes):
                if not all(type(axis) is int for axis in axes[:_AXES]) or (
                    sorted(axes[:_AXES]) != list(range(len(axes)))
                ):
                    raise ValueError("an array of axes that do not go together")
                array = self.array(kind, shape, content, "C")
                return Array(np.ascontiguousarray(array.transpose(axes)))
            case Name.encode, (str() as text, "latin1" | "latin-1"):
                return memoryview(self._encoded(text))
            case Name.empty_bytes, ():
                return memoryview(b"")
        raise ValueError("an array made in another way than NumPy writes")

    def fill(self, target: object, state: object) -> None:
        """Give a blank array what it holds, or a type its byte order; ValueError as `call`."""
        if type(target) is Kind:
            target.tell(state)
            return
        if type(target) is not Array or target.content is not None:
            raise ValueError("a state for something that takes none, or has one")
        # The first states of NumPy had no version before them.
        match state[-4:] if type(state) is tuple and len(state) in (4, 5) else ():
            case (shape, Kind() as kind, _, list() as values) if kind.dtype.hasobject:
                target.content = Objects(_checked_shape(shape)[0], values)
            case (shape, Kind() as kind, bool() | int() as is_fortran, content):
                target.content = self.array(kind, shape, content, "F" if is_fortran else "C")
            case _:
                raise ValueError("an array with a state that NumPy does not write")

    def array(self, kind: Kind, shape: object, content: object, order: str) -> NDArray[Any]:
        """An array of our byte order, its bytes copied once; ValueError where they do not fit."""
        dtype = kind.dtype
        axes, size = _checked_shape(shape)
        if type(content) is str:
            # Python 2 wrote bytes as text.
            content = memoryview(self._encoded(content))
        if dtype.hasobject or type(content) is not memoryview:
            raise ValueError("an array of objects that is none, or is made of no bytes")
        if content.nbytes != size * dtype.itemsize:
            raise ValueError(f"an array of another size than its {list(axes)} {dtype}")
        self._spend(content.nbytes)
        if dtype.kind == "b":
            # Another byte than 0 and 1 would be a truth value of its own.
            numbers: NDArray[Any] = np.frombuffer(content, np.uint8) != 0
            return np.ascontiguousarray(_shaped(numbers, axes, order))
        if not dtype.isnative or order != "C":
            read = _shaped(np.frombuffer(content, dtype), axes, order)
            return read.astype(dtype.newbyteorder("="), order="C")
        # Bytes, as they may begin anywhere in the file.
        numbers = np.empty(axes, dtype)
        numbers.reshape(-1).view(np.uint8)[...] = np.frombuffer(content, np.uint8)
        return numbers

    def _encoded(self, text: str) -> bytes:
        self._spend(len(text))
        return text.encode("latin-1")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("one array that comes again and again")


def _shaped(numbers: NDArray[Any], shape: tuple[int, ...], order: str) -> NDArray[Any]:
    return numbers.reshape(shape, order="F" if order == "F" else "C")


def _checked_shape(shape: object) -> tuple[tuple[int, ...], int]:
    """A shape, and how many items it has; nothing that overflows, also where an axis is empty."""
    if type(shape) is not tuple or len(shape) > _AXES:
        raise ValueError(f"an array of something else than at most {_AXES} axes")
    if not all(type(axis) is int and 0 <= axis <= _MOST_ITEMS for axis in shape):
        raise ValueError("an array of a shape that none can have")
    size = 1
    for axis in shape:
        size *= axis or 1
        if size > _MOST_ITEMS:
            raise ValueError("an array of a shape that none can have")
    return shape, 0 if 0 in shape else size
