"""The content of a member of a zip file, decompressed no further than it is read."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gait.prepare.raw.archives.index import Entry
from gait.prepare.raw.archives.part import Growth

if TYPE_CHECKING:
    from typing_extensions import Buffer

# So much is read, and decompressed, at a time.
PIECE_BYTES = 2**18
_MOST_AT_ONCE = 2**24

_STORED, _DEFLATE, _BZIP2, _LZMA = 0, 8, 12, 14
METHODS = (_STORED, _DEFLATE, _BZIP2, _LZMA)

# Version, number of the bytes that follow, and what they tell.
_LZMA_PROPERTIES = struct.Struct("<BBHBL")


class Content(io.RawIOBase):
    """A member's content, decompressed no further than it is read.

    Args:
        packed: gives its next bytes in the archive, at most so many; none at their end.
        entry: the member.
        growth: what is unpacked of the whole archive.
        has_crc: whether the entry tells the check sum.
    """

    def __init__(
        self, packed: Callable[[int], bytes], entry: Entry, growth: Growth, has_crc: bool = True
    ) -> None:
        super().__init__()
        self._packed = packed
        self._entry = entry
        self._growth = growth
        self._has_crc = has_crc
        self._left = entry.size
        self._crc = 0
        self._decompressor: _Decompressor | None = None
        if entry.size and entry.hidden_method != _STORED:
            self._decompressor = _decompressor(packed, entry)

    def readable(self) -> bool:
        """It can be read forwards."""
        return True

    def seekable(self) -> bool:
        """It can be gone forwards in."""
        return True

    def tell(self) -> int:
        """As of any file."""
        return self._entry.size - self._left

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go forwards, as far as the content reaches."""
        if whence != io.SEEK_SET or offset < self.tell():
            raise io.UnsupportedOperation("it is read forwards only")
        while (ahead := offset - self.tell()) and self.piece(ahead):
            pass
        return self.tell()

    def readinto(self, buffer: Buffer) -> int:
        """See `piece`."""
        view = memoryview(buffer).cast("B")
        data = self.piece(len(view))
        view[: len(data)] = data
        return len(data)

    def piece(self, most: int) -> bytes:
        """The next bytes of the content, at most so many; none at its end, which is checked.

        Raises:
            BadZipFile, EOFError, zlib.error, LZMAError, OSError: it is damaged.
        """
        most = min(most, self._left, _MOST_AT_ONCE)
        if not most:
            return b""
        data = self._next(most)
        if not data:
            raise EOFError("its content is cut short")
        self._growth.add(len(data))
        self._left -= len(data)
        self._crc = zlib.crc32(data, self._crc)
        if not self._left:
            # An encrypted member's own check comes behind its last byte.
            while self._entry.is_encrypted and self._packed(PIECE_BYTES):
                pass
            if self._has_crc and self._crc != self._entry.crc:
                raise zipfile.BadZipFile("its check sum is wrong")
        return data

    def _next(self, most: int) -> bytes:
        if self._decompressor is None:
            return self._packed(most)
        while not self._decompressor.eof:
            more = self._packed(PIECE_BYTES) if self._decompressor.needs_input else b""
            if data := self._decompressor.decompress(more, most):
                return data
            if not more and self._decompressor.needs_input:
                break
        return b""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _Inflate:
    """Deflate with the interface that the other methods have."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._is_full = False

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not (self._is_full or self._stream.unconsumed_tail)

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        unpacked = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # Then there may be more to come of what it has been given.
        self._is_full = len(unpacked) == max_length
        return unpacked


def _decompressor(packed: Callable[[int], bytes], entry: Entry) -> _Decompressor:
    if entry.hidden_method == _DEFLATE:
        return _Inflate()
    if entry.hidden_method == _BZIP2:
        return bz2.BZ2Decompressor()
    properties = packed(_LZMA_PROPERTIES.size)
    if len(properties) < _LZMA_PROPERTIES.size:
        raise EOFError("its content is cut short")
    _, _, length, setting, window = _LZMA_PROPERTIES.unpack(properties)
    if length != 5 or setting >= 9 * 5 * 5:
        raise lzma.LZMAError("its properties are damaged")
    # Nothing lies further back than the content is long.
    lzma1 = {
        "id": lzma.FILTER_LZMA1,
        "lc": setting % 9,
        "lp": setting // 9 % 5,
        "pb": setting // 9 // 5,
        "dict_size": max(4096, min(window, entry.size)),
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1])
