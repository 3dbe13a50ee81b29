"""Walks through tar files, compressed or not, forwards only: they may come out of another one."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, cast

from gait.prepare.archives.part import DAMAGED, Inner, Member, Part

# What the reader raises on content that is cut short or corrupt. A zip file's bad member shows
# when a tar file inside it is read.
DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError)


Stream = io.BufferedReader | io.BufferedRandom | zipfile.ZipExtFile


def walk_tar(
    part: Part, raw: IO[bytes], damage: tuple[type[Exception], ...]
) -> Iterator[Member | Inner]:
    """The wanted files of a tar file, and the archives inside it.

    Args:
        part: what this file is part of.
        raw: its bytes, read forwards, of a type in `Stream`.
        damage: what reading those may raise when they are corrupt.
    """
    source = cast(Stream, raw)
    try:
        is_gzip = source.peek(2)[:2] == b"\x1f\x8b"
        stream = _Watched(gzip.GzipFile(fileobj=source) if is_gzip else source)
        tar = tarfile.TarFile(fileobj=stream)  # type: ignore[arg-type]
        while (info := tar.next()) is not None:
            # The reader would remember every member, of which there may be millions.
            tar.members.clear()  # type: ignore[attr-defined]
            is_file = info.isreg() and not info.issparse()
            read = partial(_read, stream, info, damage)
            found = part.take(info.name, info.size, info.isdir(), is_file, read)
            if isinstance(found, Member):
                yield found
            elif found is not None:
                unpack = cast(Callable[[], IO[bytes]], partial(tar.extractfile, info))
                yield Inner(found, info.size, unpack, damage)
    except damage as error:
        part.damaged(error)
        return
    # A tar file ends with blocks of zeros. The standard reader takes a file that was cut, or that
    # turns into something else, for one that ended.
    if stream.last != bytes(tarfile.BLOCKSIZE):
        part.damaged(EOFError())


def _read(
    stream: _Watched, info: tarfile.TarInfo, damage: tuple[type[Exception], ...]
) -> tuple[bytes, str]:
    try:
        stream.seek(info.offset_data)
        data = stream.read(info.size)
    except damage:
        return b"", DAMAGED
    return (data, "") if len(data) == info.size else (b"", DAMAGED)


class _Watched:
    """A stream that remembers what was last read from it."""

    def __init__(self, stream: Stream | gzip.GzipFile) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        self.last = self._stream.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True
