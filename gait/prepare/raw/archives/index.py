"""Reads the index of a zip file, entry by entry, so that one bad entry costs one member."""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from operator import le
from typing import IO, NamedTuple
from zipfile import BadZipFile

from gait.limits import ARCHIVE_INDEX_BYTES

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_SIGNATURE = b"PK\x01\x02"
_LONGEST_COMMENT = 2**16 - 1
_IN_EXTRA = 2**32 - 1
_ZIP64_EXTRA, _AES_EXTRA = 0x0001, 0x9901

# The method that stands for encryption by AES, which the standard library does not know.
AES = 99

_IS_UTF_8 = 1 << 11
_IS_ENCRYPTED = 1
# Patches, and encryption that nothing here knows.
_UNKNOWN_FLAGS = 1 << 5 | 1 << 6


class Entry(NamedTuple):
    """What the index of a zip file tells of a member; nothing of it need be true.

    Attributes:
        name: its path; bytes that are no text are kept as lone surrogates.
        method: how it is compressed; 99 for AES, which hides the method.
        hidden_method: the one that AES hides, and otherwise `method`.
        flags: general purpose bits.
        crc: of its content.
        packed: number of bytes in the archive.
        size: number of bytes of its content.
        offset: where its header begins in the file.
        mode: Unix mode, or 0.
        raw_name: the bytes of its path, as the member's own header has them.
        record: the entry itself.
    """

    name: str
    method: int
    hidden_method: int
    flags: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    raw_name: bytes
    record: bytes

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed."""
        return bool(self.flags & _IS_ENCRYPTED)

    @property
    def is_unknown(self) -> bool:
        """Whether it is stored in a way that only its flags tell of."""
        return bool(self.flags & _UNKNOWN_FLAGS)


class Index:
    """The members of a zip file, in the order in which they are stored.

    Args:
        raw: the file, which can be read anywhere.

    Attributes:
        is_encrypted: whether any of them is.

    Raises:
        BadZipFile: there is no index, it is damaged, or it is too large.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        size, start, self._shift = _place(raw)
        if size > ARCHIVE_INDEX_BYTES.value:
            raise BadZipFile(
                f"its index has {size:,} bytes, expected at most {ARCHIVE_INDEX_BYTES.value:,} "
                f"({ARCHIVE_INDEX_BYTES.variable})"
            )
        raw.seek(start)
        self._data = raw.read(size)
        if len(self._data) < size:
            raise BadZipFile("its index is cut short")
        self._end = start
        self.is_encrypted = False
        self._positions = array("Q")
        self._offsets = array("Q")
        at = 0
        while at < size:
            at = self._listed(at)
        offsets = self._offsets
        self._order: range | list[int] = range(len(offsets))
        # Hardly any archiver lists members in another order than it stores them in.
        if not all(map(le, offsets, memoryview(offsets)[1:])):
            self._order = sorted(self._order, key=offsets.__getitem__)

    def __len__(self) -> int:
        return len(self._positions)

    def __iter__(self) -> Iterator[tuple[Entry, bool]]:
        """Each member, and whether it shares bytes with the one behind it or with the index."""
        count = len(self._order)
        for number, which in enumerate(self._order):
            entry = self._entry(which)
            is_last = number + 1 == count
            bound = self._end if is_last else self._offsets[self._order[number + 1]]
            least = entry.offset + _LOCAL.size + len(entry.raw_name) + entry.packed
            yield entry, least > bound

    def _listed(self, at: int) -> int:
        """Note an entry; gives where the next one begins."""
        if self._data[at : at + 4] != _SIGNATURE or at + _ENTRY.size > len(self._data):
            raise BadZipFile("its index is damaged")
        fields = _ENTRY.unpack_from(self._data, at)
        after: int = at + _ENTRY.size + sum(fields[10:13])
        if after > len(self._data):
            raise BadZipFile("its index is damaged")
        offset = fields[16]
        if offset == _IN_EXTRA:
            offset = _sizes(fields, self._data[at:after])[2]
        offset += self._shift
        self._positions.append(at)
        # Outside the file, it is as if it shared its bytes with the index.
        self._offsets.append(offset if 0 <= offset < self._end else self._end)
        self.is_encrypted = self.is_encrypted or bool(fields[3] & _IS_ENCRYPTED)
        return after

    def _entry(self, which: int) -> Entry:
        at = self._positions[which]
        fields = _ENTRY.unpack_from(self._data, at)
        record = self._data[at : at + _ENTRY.size + sum(fields[10:13])]
        _, _, _, flags, method, *_, crc, _, _, name_bytes = fields[:11]
        raw_name = record[_ENTRY.size : _ENTRY.size + name_bytes]
        is_utf_8 = flags & _IS_UTF_8
        name = raw_name.decode("utf-8", "surrogateescape") if is_utf_8 else raw_name.decode("437")
        size, packed, _ = _sizes(fields, record)
        hidden = method
        if method == AES:
            aes = _extras(fields, record).get(_AES_EXTRA, b"")
            hidden = int.from_bytes(aes[5:7], "little") if len(aes) >= 7 else method
        mode = fields[15] >> 16
        offset = self._offsets[which]
        return Entry(
            name, method, hidden, flags, crc, packed, size, offset, mode, raw_name, record
        )


def content_start(raw: IO[bytes], entry: Entry) -> int:
    """Where a member's bytes begin.

    Raises:
        BadZipFile: there is no header of that member where the index says.
    """
    name = entry.raw_name
    raw.seek(entry.offset)
    header = raw.read(_LOCAL.size + len(name))
    if len(header) < _LOCAL.size + len(name) or header[:4] != b"PK\x03\x04":
        raise BadZipFile("its header is not where the index says")
    *_, name_bytes, extra_bytes = _LOCAL.unpack_from(header)
    if name_bytes != len(name) or header[_LOCAL.size :] != name:
        raise BadZipFile("its header has another name than the index")
    return entry.offset + len(header) + int(extra_bytes)


def index_of_one(entry: Entry, packed_end: int) -> bytes:
    """The index of a zip file that has nothing but a member, from its header on.

    Args:
        entry: the member.
        packed_end: number of bytes from its header to where this index follows.
    """
    record = bytearray(entry.record)
    # Where its header begins is at the end of the fixed part.
    record[_ENTRY.size - 4 : _ENTRY.size] = bytes(4)
    end = packed_end + len(record)
    return b"".join(
        (
            record,
            _END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(record), packed_end),
            _END64_LOCATOR.pack(b"PK\x06\x07", 0, end, 1),
            _END.pack(b"PK\x05\x06", 0, 0, 1, 1, len(record), _IN_EXTRA, 0),
        )
    )


def _place(raw: IO[bytes]) -> tuple[int, int, int]:
    """The size of the index, where it begins, and by how much all in the file is shifted."""
    file_size = raw.seek(0, os.SEEK_END)
    raw.seek(max(0, file_size - _END.size - _LONGEST_COMMENT))
    tail = raw.read()
    found = len(tail) - _END.size
    # That the file ends with the record is the rule; a comment may hold what looks like one.
    if found < 0 or tail[found : found + 4] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
        found = tail.rfind(b"PK\x05\x06", 0, max(0, found + 4))
    if found < 0:
        raise BadZipFile("File is not a zip file")
    end = file_size - len(tail) + found
    *_, size, stated, _ = _END.unpack_from(tail, found)
    if found >= _END64_LOCATOR.size and end >= _END64.size + _END64_LOCATOR.size:
        locator = _END64_LOCATOR.unpack_from(tail, found - _END64_LOCATOR.size)
        if locator[0] == b"PK\x06\x07":
            raw.seek(end - _END64_LOCATOR.size - _END64.size)
            record = _END64.unpack(raw.read(_END64.size))
            if record[0] == b"PK\x06\x06":
                *_, size, stated = record
                end -= _END64_LOCATOR.size + _END64.size
    start = end - size
    if start < 0:
        raise BadZipFile("its index would begin before the file")
    # Something may stand before the archive, such as a program that unpacks it.
    return size, start, start - stated


def _sizes(fields: tuple[int, ...], record: bytes) -> tuple[int, int, int]:
    """Size, packed size and place of the header, those above 4 GiB from the extra field."""
    size, packed, offset = fields[9], fields[8], fields[16]
    if _IN_EXTRA not in (size, packed, offset):
        return size, packed, offset
    more = _extras(fields, record).get(_ZIP64_EXTRA, b"")
    values = iter(struct.unpack_from(f"<{len(more) // 8}Q", more))
    return tuple(  # type: ignore[return-value]
        next(values, each) if each == _IN_EXTRA else each for each in (size, packed, offset)
    )


def _extras(fields: tuple[int, ...], record: bytes) -> dict[int, bytes]:
    """The extra fields of an entry as far as they are sound; of two of a kind, the first."""
    at = _ENTRY.size + fields[10]
    end = at + fields[11]
    extras: dict[int, bytes] = {}
    while at + _EXTRA.size <= end:
        kind, length = _EXTRA.unpack_from(record, at)
        at += _EXTRA.size
        extras.setdefault(kind, record[at : min(at + length, end)])
        at += length
    return extras
