"""Walks through tar files, compressed or not, forwards only: they may come out of another one."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO, TYPE_CHECKING, cast

from gait.limits import HEADER_BYTES
from gait.prepare.raw.archives.part import DAMAGED, Inner, Member, Part

if TYPE_CHECKING:
    from typing_extensions import Buffer

# What the readers raise on content that is cut short or corrupt.
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError)
# The same of headers: on a number that is none, on a place that no file has, and on headers that
# announce each other without end.
_BAD_HEADER = (ValueError, OverflowError, RecursionError)

_GZIP = b"\x1f\x8b"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}

_PIECE_BYTES = 2**20

# Names have no more, and the reader takes the square of their number in time.
_DIGITS = re.compile(rb"\d{256}")
# Archivers write one header for all members, if any, with a few entries.
_MOST_SHARED = 64


def walk_tar(
    part: Part, raw: IO[bytes], damage: tuple[type[Exception], ...]
) -> Iterator[Member | Inner]:
    """The wanted files of a tar file, and the archives inside it.

    Args:
        part: what this file is part of.
        raw: its bytes, read forwards, of a file with a buffer.
        damage: what reading those may raise when they are corrupt.
    """
    damage = (*_DAMAGE, *damage)
    source = cast(io.BufferedReader, raw)
    try:
        first = source.peek(6)
        if other := next((name for mark, name in _OTHERS.items() if first.startswith(mark)), ""):
            raise tarfile.ReadError(f"it is compressed by {other}; pack it again with gzip")
        is_gzip = first.startswith(_GZIP)
        stream = _Stream(gzip.GzipFile(fileobj=source), part) if is_gzip else _Stream(source)
        for info in _headers(stream):
            is_file = info.isreg() and not info.issparse()
            read = partial(_read, stream, info, damage)
            found = part.take(info.name, info.size, info.isdir(), is_file, read)
            if isinstance(found, Member):
                yield found
            elif found is not None:
                unpack = partial(_opened, stream, info)
                yield Inner(found, info.size, unpack, damage)
    except damage as error:
        part.damaged(error)
        return
    # A tar file ends with blocks of zeros. The standard reader takes a file that was cut, or that
    # turns into something else, for one that ended.
    if stream.last != bytes(tarfile.BLOCKSIZE):
        part.damaged(EOFError())
        return
    try:
        if is_gzip or part.is_inside:
            stream.drain()
    except damage as error:
        part.doubted(error)


def _headers(stream: _Stream) -> Iterator[tarfile.TarInfo]:
    """The headers of all members, each within bounds.

    Raises:
        TarError, zlib.error, EOFError, OSError: they are damaged.
    """
    try:
        tar = tarfile.TarFile(fileobj=stream)  # type: ignore[arg-type]
        while (info := tar.next()) is not None:
            if info.size < 0:
                raise tarfile.ReadError(f"a member has a size of {info.size} bytes")
            if len(tar.pax_headers) > _MOST_SHARED:
                raise tarfile.ReadError(f"more than {_MOST_SHARED} entries are for all members")
            yield info
            # The reader would remember every member, of which there may be millions.
            tar.members.clear()  # type: ignore[attr-defined]
            stream.begin_header()
    except _BAD_HEADER as error:
        raise tarfile.ReadError(f"a header is damaged ({error})") from None


def _read(
    stream: _Stream, info: tarfile.TarInfo, damage: tuple[type[Exception], ...]
) -> tuple[bytes, str]:
    try:
        stream.seek(info.offset_data)
        data = stream.content(info.size)
    except damage:
        return b"", DAMAGED
    return (data, "") if len(data) == info.size else (b"", DAMAGED)


def _opened(stream: _Stream, info: tarfile.TarInfo) -> IO[bytes]:
    return io.BufferedReader(_Inside(stream, info), _PIECE_BYTES)


class _Inside(io.RawIOBase):
    """The content of a member, read forwards while nothing else is read."""

    def __init__(self, stream: _Stream, info: tarfile.TarInfo) -> None:
        super().__init__()
        self._stream = stream
        self._start = info.offset_data
        self._size = info.size
        stream.seek(self._start)

    def readable(self) -> bool:
        """It can be read forwards."""
        return True

    def seekable(self) -> bool:
        """It can be gone forwards in."""
        return True

    def tell(self) -> int:
        """As of any file."""
        return self._stream.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go forwards, as far as the content reaches."""
        if whence != io.SEEK_SET or offset < self.tell():
            raise io.UnsupportedOperation("it is read forwards only")
        return self._stream.seek(self._start + min(offset, self._size)) - self._start

    def readinto(self, buffer: Buffer) -> int:
        """As of any file.

        Raises:
            EOFError: the file around it ends before it.
        """
        view = memoryview(buffer).cast("B")
        left = self._size - self.tell()
        data = self._stream.content(max(0, min(len(view), left)))
        if not data and left > 0 and len(view):
            raise EOFError
        view[: len(data)] = data
        return len(data)


class _Stream:
    """What a tar file is read from: remembers the last header, and bounds what it asks for.

    Args:
        stream: the bytes, read forwards.
        part: the archive, where these are unpacked from it.
    """

    def __init__(
        self, stream: io.BufferedReader | gzip.GzipFile, part: Part | None = None
    ) -> None:
        self._stream = stream
        self._part = part
        self._most_header_bytes = HEADER_BYTES.value
        self._header_bytes = self._most_header_bytes
        self.last = b""

    def begin_header(self) -> None:
        """Allow for the headers of a member."""
        self._header_bytes = self._most_header_bytes

    def read(self, size: int = -1) -> bytes:
        """What the reader of headers asks for, which is as much as these claim to hold.

        Raises:
            ReadError: it is more than headers may hold.
        """
        self._header_bytes -= size
        if size < 0 or self._header_bytes < 0:
            raise tarfile.ReadError(
                f"a header of more than {self._most_header_bytes:,} bytes, which "
                f"{HEADER_BYTES.variable} allows"
            )
        self.last = self._stream.read(size)
        if size > tarfile.BLOCKSIZE and _DIGITS.search(self.last):
            raise tarfile.ReadError("a header with a number of hundreds of digits")
        return self.last

    def content(self, size: int) -> bytes:
        """The bytes of a member: fewer where the file ends, which takes no more memory than that.

        Raises:
            ExpansionError: the archive becomes too large.
        """
        if self._part is not None:
            self._bound(self._stream.tell() + size)
        data = self._stream.read(min(size, _PIECE_BYTES))
        if len(data) == size or not data:
            return data
        pieces = [data]
        size -= len(data)
        while data := self._stream.read(min(size, _PIECE_BYTES)):
            pieces.append(data)
            size -= len(data)
        return b"".join(pieces)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go forwards.

        Raises:
            ExpansionError: the archive becomes too large.
        """
        self._bound(offset)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """As far as its reader wants to know."""
        return True

    def drain(self) -> None:
        """Read what follows the last member, so that check sums are compared.

        Raises:
            BadGzipFile, EOFError, ExpansionError: it is damaged.
        """
        try:
            while self._stream.read(_PIECE_BYTES):
                self._bound(self._stream.tell())
        except gzip.BadGzipFile as error:
            if "Not a gzipped file" not in str(error):
                raise
            raise gzip.BadGzipFile("other bytes follow its end") from None

    def _bound(self, offset: int) -> None:
        """Refuse a place behind all that the archive may become."""
        if self._part is not None and offset > self._part.growth.most:
            raise self._part.growth.error()
