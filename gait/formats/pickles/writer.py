"""Writes a pickled array a piece at a time, where `pickle` holds it three times."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import atomic_path

# Protocol 3, as later ones state lengths that another name of NumPy's core would make wrong.
PROTOCOL = 3
_SHORT, _LONG = b"C", b"B"
_SHORT_BYTES = 2**8
# What protocol 3 cannot say the length of.
_MOST_BYTES = 2**32
_PIECE_BYTES = 2**20
_PLACE = b"where the bytes of the array belong"


def with_old_name(data: bytes) -> bytes:
    """Make a pickle readable by NumPy 1 and 2: both know the name that 1 gives its core."""
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def write_pickled(path: Path, array: NDArray[Any]) -> bool:
    """Write an array, byte for byte as `pickle.dumps` gives it, under the old name.

    A file that already holds exactly this is left alone, with its modification time.

    Args:
        path: the file; its folder is made, and it is replaced in one step.
        array: contiguous, of numbers, without a size of 0.

    Returns:
        Whether the file was written.

    Raises:
        DataError: the file cannot be written, or the array has 4 GiB or more.
    """
    if array.nbytes >= _MOST_BYTES:
        raise DataError(
            f"{path}: expected frames of less than 4 GiB, got {array.nbytes:,} bytes; cut the "
            "source into several sequences"
        )
    if _is_held(path, array):
        return False
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for piece in _pieces(array):
            file.write(piece)
    return True


class _Announced:
    """Pickled as an array is, without its bytes."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array

    def __reduce__(self) -> tuple[Any, ...]:
        empty = np.zeros(0, self._array.dtype)
        reduced: tuple[Any, ...] = empty.__reduce__()  # type: ignore[assignment]
        version, _, dtype, is_fortran, _ = reduced[2]
        return *reduced[:2], (version, self._array.shape, dtype, is_fortran, _PLACE)


def _pieces(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    announced = with_old_name(pickle.dumps(_Announced(array), protocol=PROTOCOL))
    before, after = announced.split(_SHORT + bytes([len(_PLACE)]) + _PLACE)
    is_short = array.nbytes < _SHORT_BYTES
    length = array.nbytes.to_bytes(1 if is_short else 4, "little")
    yield before + (_SHORT if is_short else _LONG) + length
    data = array.data.cast("B")
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]
    yield after


def _is_held(path: Path, array: NDArray[Any]) -> bool:
    try:
        with path.open("rb") as file:
            is_equal = all(file.read(len(piece)) == piece for piece in _pieces(array))
            return is_equal and not file.read(1)
    except OSError:
        # What cannot be read is replaced, or says why not when it is written.
        return False
