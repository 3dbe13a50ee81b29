"""NumPy's files read within bounds: what a header claims is compared with what is there."""

from __future__ import annotations

import io
import lzma
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.limits import FILE_BYTES

# What reading a header, an archive or an array of either can end in, besides what is no file.
_FOREIGN = (
    *(ValueError, TypeError, KeyError, OverflowError, EOFError, SyntaxError, RecursionError),
    *(NotImplementedError, RuntimeError, MemoryError, struct.error, zlib.error, lzma.LZMAError),
    *(zipfile.BadZipFile, tokenize.TokenError, OSError),
)
_LOCAL_HEADER_BYTES = 30


@dataclass(frozen=True, slots=True)
class Header:
    """What an array is said to be.

    Attributes:
        dtype: type of the numbers or texts, no objects.
        shape: number of values along each axis.
        is_fortran: whether the first axis changes fastest.
        size: bytes of the header itself.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    size: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values, however many are claimed."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: BinaryIO) -> Header:
    """The header of an array in NumPy's format, which a file or an archive's member begins with.

    Raises:
        ValueError: there is no such header, or one of objects or of another version's format.
    """
    start = file.tell()
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format {version}")
        read: Any = np.lib.format
        parse = read.read_array_header_1_0 if version == (1, 0) else read.read_array_header_2_0
        shape, is_fortran, dtype = parse(file)
    except OSError:
        raise
    except _FOREIGN as error:
        raise ValueError(f"no header of an array ({error})") from None
    if dtype.hasobject or min(shape, default=1) < 0:
        raise ValueError(f"an array of {dtype} {shape}")
    return Header(dtype, shape, is_fortran, file.tell() - start)


def view(data: NDArray[np.uint8], start: int = 0, size: int | None = None) -> NDArray[Any]:
    """The array, in NumPy's format, that lies in bytes of memory or of a map; nothing is copied.

    Args:
        data: the bytes, [n].
        start: the first byte of its header.
        size: bytes of header and values; all from `start` by default.

    Raises:
        ValueError: there is no header, or as many values as it claims are not there.
    """
    end = len(data) if size is None else start + size
    head = io.BytesIO(data[start : min(end, start + (1 << 16))].tobytes())
    header = read_header(cast(BinaryIO, head))
    if header.size + header.nbytes != end - start or end > len(data):
        raise ValueError(
            f"a header that claims {header.dtype} of shape {list(header.shape)}, for which "
            f"{end - start - header.size:,} bytes are there"
        )
    order: Any = "F" if header.is_fortran else "C"
    return np.ndarray(header.shape, header.dtype, data, start + header.size, order=order)


def mapped(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file as a map that cannot be written to; a plain array, which is faster.

    Raises:
        OSError: the file cannot be read.
    """
    if not os.stat(path).st_size:  # noqa: PTH116
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, "r"))


@contextmanager
def refusing(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Turns what reading a damaged array or archive may end in into one sentence.

    Args:
        path: the file.
        what: what it should be, such as 'an archive of embeddings'.
        remedy: how to make it again.

    Raises:
        DataError: the block has failed for such a reason.
    """
    try:
        yield
    except DataError:
        raise
    except _FOREIGN as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = " ".join((reason or type(error).__name__).split())[:200]
        raise DataError(
            f"{path}: expected {what}, which cannot be read ({reason}); {remedy}"
        ) from None


def read_members(path: Path, what: str, remedy: str) -> dict[str, NDArray[Any]]:
    """All arrays of an `.npz`, by name; those that are not compressed stay on disk, as maps.

    Args:
        path, what, remedy: as for `refusing`.

    Raises:
        DataError: the file is missing or no such archive, or an array is not what it claims.
    """
    arrays = {}
    with refusing(path, what, remedy), zipfile.ZipFile(path) as archive:
        data = mapped(path)
        for entry in archive.infolist():
            if entry.compress_type == zipfile.ZIP_STORED:
                array = _stored(data, entry)
            else:
                FILE_BYTES.check(entry.file_size, path, f"an array {entry.filename}")
                array = view(np.frombuffer(archive.read(entry), np.uint8))
            arrays[entry.filename.removesuffix(".npy")] = array
    return arrays


def _stored(data: NDArray[np.uint8], entry: zipfile.ZipInfo) -> NDArray[Any]:
    start = entry.header_offset
    head = data[start : start + _LOCAL_HEADER_BYTES].tobytes()
    name, extra = struct.unpack_from("<HH", head, 26)
    return view(data, start + _LOCAL_HEADER_BYTES + name + extra, entry.file_size)
