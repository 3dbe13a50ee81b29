"""The interchange format: a sequence is one pickled array uint8 [s, h, w], read without trust."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import write_if_changed

# Everything that a pickled array refers to, under the module names of NumPy 1 and 2. Arrays and
# scalars tell their own rebuilding functions, whose home is private to NumPy.
_REBUILD: dict[tuple[str, str], Any] = {
    ("multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("multiarray", "scalar"): np.uint8(0).__reduce__()[0],
    ("numeric", "_frombuffer"): np.empty(0).__reduce_ex__(5)[0],
}
_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{
        (f"numpy.{core}.{module}", name): rebuild
        for core in ("core", "_core")
        for (module, name), rebuild in _REBUILD.items()
    },
}


def write_pkl(path: Path, frames: NDArray[np.uint8]) -> bool:
    """Write the aligned silhouettes of a sequence, readable by a plain `pickle.load`.

    A file that already holds exactly this is left alone, with its modification time.

    Args:
        path: the pkl; its folder is made, and it is replaced in one step.
        frames: uint8 [s, h, w], none of them 0.

    Returns:
        Whether the file was written.

    Raises:
        DataError: another type or shape, or the file cannot be written.
    """
    return write_if_changed(path, _pickled(_checked(path, frames)))


def read_pkl(path: Path) -> NDArray[np.uint8]:
    """The silhouettes in a pkl from anywhere, uint8 [s, h, w]; nothing in it can be executed.

    Raises:
        DataError: the file is missing, cut short, is no pickle, refers to anything but NumPy
            arrays, or holds another type or shape.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: expected the pickled silhouettes of a sequence, "
            f"but it cannot be read ({error.strerror})"
        ) from None
    try:
        frames = _ArrayUnpickler(io.BytesIO(data), path).load()
    except DataError:
        raise
    # Bytes from outside make the unpickler fail in any way; each means that this is no such file.
    except Exception as error:
        raise DataError(
            f"{path}: expected a pickled array of silhouettes, got {len(data)} bytes that are cut "
            f"short or no pickle ({error}); restore the file, or delete it to have it made again"
        ) from None
    return _checked(path, frames)


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler for which NumPy arrays are all there is."""

    def __init__(self, file: io.BytesIO, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise DataError(
                f"{self._path}: expected a pickled NumPy array and nothing else, but the file "
                f"asks for {module}.{name}, which was not run; do not use this file"
            ) from None


def _pickled(frames: NDArray[np.uint8]) -> bytes:
    """A pickle that every NumPy reads: NumPy 2 knows the name that 1 gives its core, too."""
    # Protocol 3, as later ones state lengths that another name would make wrong.
    data = pickle.dumps(frames, protocol=3)
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def _checked(path: Path, frames: object) -> NDArray[np.uint8]:
    """`frames` as a contiguous array, if they are what a pkl may hold."""
    if not isinstance(frames, np.ndarray):
        found = type(frames).__name__
    elif frames.dtype != np.uint8 or frames.ndim != 3 or not frames.size:
        found = f"{frames.dtype} {list(frames.shape)}"
    else:
        return np.ascontiguousarray(frames)
    raise DataError(
        f"{path}: expected silhouettes uint8 [frames, height, width] with at least one frame, "
        f"got {found}"
    )
