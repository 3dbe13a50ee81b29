"""NumPy's files read within bounds: what a header claims is compared with what is there."""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.limits import FILE_BYTES, HEADER_BYTES
from gait.screen import shown

# What a file that is no array or archive of arrays, or is damaged, can cause.
BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
)
# All that NumPy writes.
_FORMS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Magic, version and the length of the text that follows, which is a literal of Python.
_START = re.compile(rb"\x93NUMPY(?:\x01\x00(?P<short>..)|[\x02\x03]\x00(?P<long>....))", re.DOTALL)
# Truth values, numbers, texts and objects; not records, nor times.
_TYPE = re.compile(r"'descr': *'([<>=|]?(?:[biufc][0-9]{1,2}|[SU][0-9]{1,6}|O8?))'")
_ORDER = re.compile(r"'fortran_order': *(True|False)")
# Python 2 wrote an L after a number. Nothing is tried twice: some digits would take for ever.
_SHAPE = re.compile(
    r"'shape': *+\( *+((?:[0-9]{1,19}+L?+ *+, *+){0,31}+(?:[0-9]{1,19}+L?+ *+)?+)\)"
)
_START_BYTES, _LONGEST_HEADER = 12, 4096
_LOCAL_HEADER_BYTES = 30
_ZIP_END, _ZIP_END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, 2**16
_ZIP64_END, _ZIP64_END_BYTES, _ZIP64_LOCATOR = b"PK\x06\x06", 56, b"PK\x06\x07"


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What an array is said to be.

    Attributes:
        dtype: type of the numbers or texts; objects, which are pickled, have another size.
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


def read_header(data: NDArray[np.uint8]) -> ArrayHeader:
    """The header of an array in NumPy's format, which bytes begin with.

    Raises:
        ValueError: there is no such header, or one of records.
    """
    head = data[: _START_BYTES + _LONGEST_HEADER].tobytes()
    if not (start := _START.match(head)):
        raise ValueError("no array of NumPy")
    length = int.from_bytes(start["short"] or start["long"], "little")
    text = head[start.end() : start.end() + min(length, _LONGEST_HEADER)].decode("latin-1")
    code, order, shape = (each.search(text) for each in (_TYPE, _ORDER, _SHAPE))
    if not (code and order and shape):
        raise ValueError("no array of one type of numbers or texts")
    try:
        dtype = np.dtype(code[1])
    except TypeError:
        raise ValueError("no array of one type of numbers or texts") from None
    axes = tuple(int(axis) for axis in re.findall("[0-9]+", shape[1]))
    return ArrayHeader(dtype, axes, order[1] == "True", start.end() + length)


def view(data: NDArray[np.uint8], start: int = 0, size: int | None = None) -> NDArray[Any]:
    """The array, in NumPy's format, that lies in bytes of memory or of a map; nothing is copied.

    Args:
        data: the bytes, [n].
        start: the first byte of its header.
        size: bytes of header and values; all from `start` by default.

    Raises:
        ValueError: there is no header, or one of objects, or as many values as it claims are not
            there.
    """
    end = len(data) if size is None else start + size
    header = read_header(data[start:end])
    if header.dtype.hasobject:
        raise ValueError("an array of objects")
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
    except (*BROKEN, MemoryError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or shown(error)
        reason = reason or type(error).__name__
        raise DataError(
            f"{path}: expected {what}, which cannot be read ({reason}); {remedy}"
        ) from None


def opened(file: BinaryIO, source: Path | str) -> zipfile.ZipFile:
    """An `.npz` file, whose list of arrays is short.

    Args:
        file: the file.
        source: what to call it in messages.

    Raises:
        DataError: the list is longer than `gait.limits` has it.
        BROKEN: it is no such file, or is damaged.
    """
    HEADER_BYTES.check(directory_bytes(file), source, "a list of arrays")
    return zipfile.ZipFile(file)


def directory_bytes(file: BinaryIO) -> int:
    """Length of the list of members that a zip archive ends with, which is read as a whole.

    Raises:
        BadZipFile: there is none, or it claims more bytes than the file has.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_COMMENT - 100))
    tail = file.read()
    end = tail.rfind(_ZIP_END)
    if end < 0 or len(tail) < end + _ZIP_END_BYTES:
        raise zipfile.BadZipFile("its archive is cut short")
    (length,) = struct.unpack_from("<I", tail, end + 12)
    locator = tail[max(0, end - 20) : end]
    if locator.startswith(_ZIP64_LOCATOR):
        (place,) = struct.unpack_from("<Q", locator, 8)
        file.seek(min(place, size))
        record = file.read(_ZIP64_END_BYTES)
        if not record.startswith(_ZIP64_END) or len(record) < _ZIP64_END_BYTES:
            raise zipfile.BadZipFile("its archive is damaged")
        (length,) = struct.unpack_from("<Q", record, 40)
    if length > size:
        raise zipfile.BadZipFile("its archive is damaged")
    return int(length)


def read_member(archive: zipfile.ZipFile, name: str, most_bytes: int) -> NDArray[np.uint8]:
    """The bytes of one array, header and values, unpacked in memory.

    Args:
        archive: the `.npz` file, see `opened`.
        name: the array's, without `.npy`.
        most_bytes: how many its values may take.

    Raises:
        BROKEN: it is damaged, larger, or there is no such array.
    """
    entry = archive.getinfo(f"{name}.npy")
    if entry.file_size > most_bytes + _LONGEST_HEADER:
        raise ValueError(f"{name} has {entry.file_size} bytes, expected at most {most_bytes}")
    if entry.compress_type not in _FORMS:
        raise ValueError(f"{name} is compressed in another way than NumPy does")
    return np.frombuffer(archive.read(entry), np.uint8)


def read_members(path: Path, what: str, remedy: str) -> dict[str, NDArray[Any]]:
    """All arrays of an `.npz`, by name; those that are not compressed stay on disk, as maps.

    Args:
        path, what, remedy: as for `refusing`.

    Raises:
        DataError: the file is missing or no such archive, or an array is not what it claims.
    """
    arrays = {}
    with refusing(path, what, remedy), path.open("rb") as file, opened(file, path) as archive:
        data = mapped(path)
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if entry.compress_type == zipfile.ZIP_STORED:
                arrays[name] = _stored(data, entry)
            else:
                FILE_BYTES.check(entry.file_size, path, f"an array {entry.filename}")
                arrays[name] = view(read_member(archive, name, entry.file_size))
    return arrays


def _stored(data: NDArray[np.uint8], entry: zipfile.ZipInfo) -> NDArray[Any]:
    start = entry.header_offset
    head = data[start : start + _LOCAL_HEADER_BYTES].tobytes()
    name, extra = struct.unpack_from("<HH", head, 26)
    return view(data, start + _LOCAL_HEADER_BYTES + name + extra, entry.file_size)
