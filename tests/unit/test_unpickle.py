"""Pickles of arrays: whatever NumPy writes is read, and nothing that was forged."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.unpickle import unpickled

ARRAYS: list[Any] = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    np.arange(4, dtype=">i4"),
    np.zeros((0, 5), np.float16),
    np.array(7.5),
    np.array([True, False]),
    np.array([1 + 2j], np.complex64),
]


# Protocols 0 to 2 write bytes by way of a function of Python's own, which is not admitted.
@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS)
def test_arrays_come_back(array: np.ndarray[Any, Any], protocol: int) -> None:
    read = unpickled(pickle.dumps(array, protocol=protocol), "x.pkl")
    assert type(read) is np.ndarray
    # NumPy turns bytes round where that is needed.
    assert read.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array, strict=read.dtype == array.dtype)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_inside_of_python_s_own_values(protocol: int) -> None:
    content = [{"cam": np.arange(3.0), 5: (np.float32(2.5), "text", None)}, np.uint8(7)]
    read: Any = unpickled(pickle.dumps(content, protocol=protocol), "x.pkl")
    np.testing.assert_array_equal(read[0]["cam"], [0.0, 1.0, 2.0])
    assert (read[0][5], read[1]) == ((2.5, "text", None), 7)
    objects = np.array([{"a": np.arange(2)}, None], object)
    table: Any = unpickled(pickle.dumps(objects, protocol=protocol), "x.pkl")
    assert table.shape == (2,) and table[1] is None
    np.testing.assert_array_equal(table[0]["a"], [0, 1])


class Call:
    """Pickled as a call, and then an alteration, of something."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


POINTER = b"\x01" * 8
RECONSTRUCT: Callable[..., Any] = np.empty(0).__reduce__()[0]  # type: ignore[assignment]
FROM_BUFFER: Callable[..., Any] = np.empty(0).__reduce_ex__(5)[0]  # type: ignore[assignment]
SCALAR: Callable[..., Any] = np.uint8(0).__reduce__()[0]  # type: ignore[assignment]
OBJECT = np.dtype("O")
EMPTY = (np.ndarray, (0,), b"b")
NO_OBJECTS = Call(np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0))
RECORD = Call(np.dtype, ("V8", False, True), (3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0))


@pytest.mark.parametrize(
    "forged",
    [
        Call(np.ndarray, ((1,), OBJECT, POINTER)),
        Call(FROM_BUFFER, (POINTER, OBJECT, (1,), "C")),
        Call(FROM_BUFFER, (POINTER, NO_OBJECTS, (1,), "C")),
        Call(FROM_BUFFER, (POINTER, np.dtype("u1"), (9,), "C")),
        Call(FROM_BUFFER, (POINTER, np.dtype("u1"), (-1,), "C")),
        Call(SCALAR, (OBJECT, POINTER)),
        Call(SCALAR, (np.dtype("f8"), POINTER[:4])),
        Call(RECONSTRUCT, EMPTY, (1, (1,), OBJECT, False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (1,), NO_OBJECTS, False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (5,), OBJECT, False, [1])),
        Call(RECONSTRUCT, EMPTY, (1, (2,), np.dtype("f8"), False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (-1,), np.dtype("f8"), False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (1,), RECORD, False, POINTER)),
        Call(RECONSTRUCT, EMPTY, (1, (1,), "f8", False, POINTER)),
        Call(np.dtype, ([("a", "O")],)),
        np.zeros(2, [("a", "f4")]),
        np.array(["text"]),
    ],
)
@pytest.mark.parametrize("protocol", [3, 5])
def test_what_was_forged_is_refused(forged: object, protocol: int) -> None:
    with pytest.raises(ValueError):
        unpickled(pickle.dumps(forged, protocol=protocol), "x.pkl")


def test_what_rebuilds_arrays_cannot_be_altered() -> None:
    data = pickle.dumps(Call(RECONSTRUCT, EMPTY), protocol=3)
    name = data[2 : data.index(b"\n", data.index(b"\n") + 1) + 1]
    altered = b"\x80\x03" + name + pickle.dumps({"_call": 1}, protocol=3)[2:-1] + b"b."
    with pytest.raises(ValueError, match="alters what rebuilds it"):
        unpickled(altered, "x.pkl")


def test_anything_else_is_not_run() -> None:
    with pytest.raises(DataError, match=r"x\.pkl: .*asks for builtins\.print, which was not run"):
        unpickled(pickle.dumps(Call(print, ("run",)), protocol=3), "x.pkl")
