"""Reads pickles of NumPy arrays from anywhere: nothing in them is executed, nor trusted.

NumPy's own way to rebuild arrays trusts the pickle: a forged one makes it take bytes for objects,
which is as good as running them. So types are taken by name, and arrays are filled only with what
fits their type and shape.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError

# Truth values, whole, real and complex numbers, and Python's own values.
_SIMPLE = re.compile(r"[<>|=]?(?:[biufc]\d{1,2}|O8?)", re.ASCII)


def unpickled(data: bytes, source: Path | str) -> object:
    """What a pickle of NumPy arrays and Python's own values holds.

    Args:
        data: the pickle.
        source: what to call it in messages.

    Raises:
        DataError: it refers to anything else.
        ValueError: it is cut short, forged or no pickle.
    """
    try:
        content: object = _ArrayUnpickler(io.BytesIO(data), source).load()
    except DataError:
        raise
    # Bytes from outside make the unpickler fail in any way; each means that this is no pickle.
    except Exception as error:
        raise ValueError(str(error)) from None
    return np.asarray(content) if isinstance(content, np.ndarray) else content


class _Type:
    """A type of number on its way to an array, which NumPy's own would let a pickle alter."""

    __slots__ = ("dtype",)

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or not _SIMPLE.fullmatch(code):
            raise ValueError(f"an array of {code!r}, expected numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, *inside = state[1:5]
        if any(each is not None for each in inside) or order not in ("<", ">", "|", "="):
            raise ValueError("an array of records, expected numbers")
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray[Any, Any]):
    """An array that looks at what a pickle fills it with."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, given, kind, is_fortran, content = state
        dtype, shape = _dtype_of(kind), _shape_of(given)
        size = math.prod(shape)
        if dtype.hasobject:
            is_sound = isinstance(content, list) and len(content) == size
        else:
            is_sound = isinstance(content, bytes) and len(content) == size * dtype.itemsize
        if not is_sound:
            raise ValueError(f"an array of another size than its {shape} {dtype}")
        super().__setstate__((version, shape, dtype, bool(is_fortran), content))  # type: ignore[arg-type]


def _dtype_of(kind: object) -> np.dtype[Any]:
    if not isinstance(kind, _Type):
        raise ValueError(f"an array of {kind!r}, expected numbers")
    return kind.dtype


def _shape_of(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(each) is int and each >= 0 for each in shape):
        raise ValueError(f"an array of shape {shape!r}")
    return shape


def _empty(*_: object) -> NDArray[Any]:
    """What every pickled array begins as."""
    return np.empty(0, np.int8).view(_Array)


def _scalar(kind: object, content: object = b"") -> Any:
    """A single number."""
    return _from_buffer(content, kind, (1,), "C")[0]


def _from_buffer(
    content: Any, kind: object, given: object, order: str, axes: tuple[int, ...] | None = None
) -> NDArray[Any]:
    """An array as pickles since protocol 5 have it; `axes` are how those of `given` are turned."""
    dtype, shape = _dtype_of(kind), _shape_of(given)
    size = math.prod(shape)
    if dtype.hasobject or memoryview(content).nbytes != size * dtype.itemsize:
        raise ValueError(f"an array of another size than its {shape} {dtype}")
    numbers = np.frombuffer(bytes(content), dtype).reshape(
        shape, order="F" if order == "F" else "C"
    )
    return numbers if axes is None else numbers.transpose(axes)


class _Admitted:
    """Something that a pickle may call, and can do nothing else with."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise ValueError("a pickle that alters what rebuilds it")


def _uncallable(*_: object) -> None:
    raise ValueError("an array made in another way than NumPy writes")


# Everything that a pickled array refers to, under the module names of NumPy 1 and 2.
_REBUILD = {
    ("multiarray", "_reconstruct"): _Admitted(_empty),
    ("multiarray", "scalar"): _Admitted(_scalar),
    ("numeric", "_frombuffer"): _Admitted(_from_buffer),
}
_ADMITTED = {
    ("numpy", "ndarray"): _Admitted(_uncallable),
    ("numpy", "dtype"): _Admitted(_Type),
    **{
        (f"numpy.{core}.{module}", name): rebuild
        for core in ("core", "_core")
        for (module, name), rebuild in _REBUILD.items()
    },
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler for which NumPy arrays are all there is."""

    def __init__(self, file: io.BytesIO, source: Path | str) -> None:
        super().__init__(file)
        self._source = source

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise DataError(
                f"{self._source}: expected a pickled NumPy array and nothing else, but the file "
                f"asks for {module}.{name}, which was not run; do not use this file"
            ) from None
