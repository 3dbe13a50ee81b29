"""Reads what `torch.save` wrote within bounds: nothing is run, and no claim of a file believed.

Both forms are read: the zip archive of torch 1.6 and later, and the stream before it. What a file
holds is known before its values are read, and those are read only where they are wanted.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from torch import Tensor

from gait.errors import CheckpointError, GaitError
from gait.formats.arrays import directory_bytes
from gait.formats.pickles.weight_types import Opaque, Storage, StoredTensor
from gait.formats.pickles.weights import Pickle, read_pickle
from gait.limits import LIST_ITEMS, WEIGHTS_INDEX_BYTES

_ZIP = b"PK\x03\x04"
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_PROTOCOL = 1001
_STREAM_PICKLES = 5
_DEEPEST = 64
_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}
# Types without a storage of their own.
_LATER_DTYPES = {
    str(each).removeprefix("torch."): each
    for each in (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)
}
# What a damaged archive makes the library raise.
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    EOFError,
    KeyError,
    struct.error,
    zlib.error,
)


class _Source(Protocol):
    def values(self, storage: Storage) -> Tensor:
        """The bytes of a storage, uint8."""
        ...


class TorchFile:
    """An open file: what it holds, with tensors and other objects still as records.

    Attributes:
        content: as `gait.formats.pickles.weights.read_pickle` gives it.
    """

    def __init__(self, content: object, source: _Source) -> None:
        self.content = content
        self._source = source
        self._storages: dict[str, Tensor] = {}

    def tensor(self, stored: StoredTensor) -> Tensor:
        """The values of a tensor; tensors that share values in the file do so here.

        Raises:
            ValueError: the file does not hold them.
        """
        name = stored.dtype or stored.storage.dtype
        dtype = _LATER_DTYPES.get(name) or _DTYPES.get(name)
        if dtype is None:
            raise ValueError(f"it has a tensor of {name[:60]}, expected plain numbers")
        values = self._storages.get(stored.storage.key)
        if values is None:
            values = self._storages[stored.storage.key] = self._source.values(stored.storage)
        values = values[: len(values) // dtype.itemsize * dtype.itemsize].view(dtype)
        if not math.prod(stored.size):
            return torch.empty(stored.size, dtype=dtype)
        last = stored.offset + sum(
            (n - 1) * step for n, step in zip(stored.size, stored.stride, strict=True)
        )
        if last >= len(values):
            raise ValueError(f"it has a tensor of {list(stored.size)} whose values are not there")
        return torch.as_strided(values, stored.size, stored.stride, stored.offset)

    def plain(self, given: object) -> Any:
        """`given`, a part of the content, with all tensors in place.

        Raises:
            ValueError: it holds anything but tensors and plain values, is nested too deeply, or
                refers to the same values so often that it would not end.
        """
        return self._plain(given, {}, 0)[0]

    def _plain(
        self, given: object, known: dict[int, tuple[Any, int] | None], depth: int
    ) -> tuple[Any, int]:
        """The value, and how many there are in it, counted anew wherever they are referred to."""
        if isinstance(given, StoredTensor):
            return self.tensor(given), 1
        # The milestones of a scheduler, which hold nothing else.
        if given is None or isinstance(given, (bool, int, float, str, bytes, Counter)):
            return given, 1
        if not isinstance(given, (dict, list, tuple)):
            kind = given.kind if isinstance(given, Opaque) else type(given).__name__
            raise ValueError(f"it has an object of {kind}, expected tensors and plain values")
        if id(given) not in known:
            if depth > _DEEPEST:
                raise ValueError(f"its content is nested more than {_DEEPEST} deep")
            known[id(given)] = None
            items = given.values() if isinstance(given, dict) else given
            found = [self._plain(each, known, depth + 1) for each in items]
            count = 1 + sum(each for _, each in found)
            if count > LIST_ITEMS.value:
                raise ValueError(f"it has more than {LIST_ITEMS.value:,} values")
            values = [each for each, _ in found]
            made: Any = tuple(values) if isinstance(given, tuple) else values
            if isinstance(given, dict):
                made = dict(zip(given, values, strict=True))
            known[id(given)] = made, count
        done = known[id(given)]
        if done is None:
            raise ValueError("its content is inside itself")
        return done


@contextmanager
def opened(path: Path) -> Iterator[TorchFile]:
    """Open what `torch.save` wrote; tensors can be read for as long as the block lasts.

    Raises:
        CheckpointError: the file is missing.
        ValueError: it is damaged or something else; the message goes on with 'it' or 'its'.
        DataError: its description of the tensors is longer than the bound.
    """
    try:
        with path.open("rb") as file:
            try:
                yield _read(file, path)
            except GaitError:
                raise
            except _DAMAGE as error:
                raise ValueError(_reason(error)) from None
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected a weights file here, found none") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return str(error)
    if isinstance(error, zipfile.BadZipFile):
        return f"its archive is damaged: {str(error)[:80]}"
    return "its archive is damaged"


def _read(file: BinaryIO, path: Path) -> TorchFile:
    if file.read(len(_ZIP)) == _ZIP:
        return _read_archive(file, path)
    return _read_stream(file, path)


# The zip archive.


def _read_archive(file: BinaryIO, path: Path) -> TorchFile:
    size = os.fstat(file.fileno()).st_size
    try:
        listed = directory_bytes(file)
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from None
    WEIGHTS_INDEX_BYTES.check(listed, path, "a list of members")
    archive = zipfile.ZipFile(file)
    members = archive.infolist()
    names = {each.filename for each in members}
    if any(name.rpartition("/")[2] == "constants.pkl" for name in names):
        raise ValueError("it is a TorchScript program; save the weights, its state_dict(), alone")
    if any(each.compress_type != zipfile.ZIP_STORED for each in members):
        raise ValueError("its archive is compressed, which torch.save does not do")
    if sum(each.file_size for each in members) > size:
        raise ValueError("its archive claims to hold more bytes than it has")
    pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError("it is a zip archive, but none of torch.save")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("its numbers have the byte order of another machine")
    WEIGHTS_INDEX_BYTES.check(archive.getinfo(pickles[0]).file_size, path, "a pickle")
    pickle = read_pickle(archive.read(pickles[0]))
    return TorchFile(pickle.content, _Archive(archive, folder))


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive = archive
        self._folder = folder

    def values(self, storage: Storage) -> Tensor:
        try:
            member = self._archive.getinfo(f"{self._folder}data/{storage.key}")
        except KeyError:
            raise ValueError("it lacks the values of a tensor") from None
        # The library compares them with their checksum.
        with self._archive.open(member) as stream:
            return _bytes(stream.read(), member.file_size)


def _bytes(given: bytes, count: int) -> Tensor:
    if len(given) != count:
        raise ValueError("it is cut short")
    return (
        torch.frombuffer(bytearray(given), dtype=torch.uint8) if count else torch.empty(0).byte()
    )


# The stream.


def _read_stream(file: BinaryIO, path: Path) -> TorchFile:
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = file.read(WEIGHTS_INDEX_BYTES.value)
    parts: list[Pickle] = []
    try:
        for _ in range(_STREAM_PICKLES):
            parts.append(read_pickle(head, parts[-1].end if parts else 0))
            if parts[0].content != _STREAM_MAGIC:
                raise ValueError("it is a pickle, but none of torch.save")
    except ValueError:
        if len(head) < size and parts:
            WEIGHTS_INDEX_BYTES.check(len(head) + 1, path, "a pickle")
        raise
    _, protocol, system, content, keys = (each.content for each in parts)
    if protocol != _STREAM_PROTOCOL:
        raise ValueError("it is of a version of torch.save that is not known")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers have the byte order of another machine")
    if not isinstance(keys, list) or not all(isinstance(each, (str, int)) for each in keys):
        raise ValueError("its list of storages is damaged")
    storages, places = parts[3].storages, {}
    position = parts[-1].end
    for key in map(str, keys):
        stored = storages.get(key)
        dtype = None if stored is None else _DTYPES.get(stored.dtype)
        if dtype is None:
            raise ValueError("its list of storages does not go with its tensors")
        file.seek(position)
        (numel,) = struct.unpack("<q", file.read(8))
        start, position = position + 8, position + 8 + numel * dtype.itemsize
        if numel < 0 or position > size:
            raise ValueError("it is cut short")
        places[key] = (start, position)
    return TorchFile(content, _Stream(file, places))


class _Stream:
    """Storages behind each other, each after its number of values."""

    def __init__(self, file: BinaryIO, places: dict[str, tuple[int, int]]) -> None:
        self._file = file
        self._places = places

    def values(self, storage: Storage) -> Tensor:
        if storage.key not in self._places:
            raise ValueError("it lacks the values of a tensor")
        start, end = self._places[storage.key]
        self._file.seek(start)
        return _bytes(self._file.read(end - start), end - start)
