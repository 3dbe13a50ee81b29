"""Walks through 7z files, also encrypted ones."""

from __future__ import annotations

import io
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, NamedTuple

from gait.errors import GaitError
from gait.prepare.raw.archives.part import (
    DAMAGED,
    TOO_LARGE,
    ExpansionError,
    Inner,
    Member,
    Part,
    largest,
)
from gait.prepare.raw.archives.seven_file import extract, opened
from gait.prepare.raw.archives.spool import Spool

if TYPE_CHECKING:
    from py7zr import SevenZipFile
    from py7zr.io import WriterFactory

# What is unpacked ahead of the file that is looked at: so many files, and so many bytes of them
# besides the last one.
_AHEAD = 64
_AHEAD_BYTES = 2**26

_DAMAGE = (EOFError, OSError)

# What comes out of the file, and its check sum: a frame, an archive in it, the error that stopped
# it, or its end.
_Thing = tuple[bytes | Spool | GaitError | ExpansionError | None, int]


def walk_seven(part: Part, raw: IO[bytes]) -> Iterator[Member | Inner]:
    """The wanted files of a 7z file, and the archives inside it.

    They are compressed together, so that a pass unpacks everything before the last wanted one,
    once; a listing unpacks nothing but the archives inside, and one frame by which the password
    is tried. Behind a member that is damaged, nothing can be read.

    Args:
        part: what this file is part of.
        raw: its bytes, of a file that can be read anywhere.

    Raises:
        DataError: the file is encrypted and the password is missing or wrong.
        MissingExtraError: the library is not installed.
    """
    try:
        archive = opened(part, raw)
        infos = list(archive.files)
        # Links and what else is unpacked like a file would be taken for one of the same name.
        others = {info.filename for info in infos if not info.is_file and not info.is_directory}
    except GaitError:
        raise
    # Bytes from outside make the reader fail in any way; each means that the file is damaged.
    except Exception as error:
        part.damaged(error)
        return
    members: list[_Wanted] = []
    for info in infos:
        size = info.uncompressed
        is_file = info.is_file and info.filename not in others
        found = part.take(info.filename, size, info.is_directory, is_file, _nothing)
        if isinstance(found, Part):
            members.append(_Wanted(found, info.filename, size, info.crc32, is_unpacked=True))
        elif found is not None:
            is_unpacked = 0 < size <= largest(found.name)
            members.append(_Wanted(found, info.filename, size, info.crc32, is_unpacked))
    if any(member.is_unpacked for member in members):
        yield from _unpacked(archive, members)
    else:
        yield from (each.what for each in members if isinstance(each.what, Member))


class _Wanted(NamedTuple):
    """A member that is wanted; empty and oversized frames are not unpacked."""

    what: Member | Part
    name: str
    size: int
    crc: int | None
    is_unpacked: bool


def _unpacked(archive: SevenZipFile, members: list[_Wanted]) -> Iterator[Member | Inner]:
    """The members in their order; those to unpack get what comes of it.

    The library hands out what it unpacks by calls. A thread takes them, so that no more than a
    few frames are held at a time, and one archive.
    """
    outlet = _Outlet(members)
    unpacking = threading.Thread(target=_unpack, args=(archive, outlet), daemon=True)
    unpacking.start()
    try:
        is_damaged = False
        data: object = None
        for member in members:
            data = data if is_damaged else None
            if member.is_unpacked and not is_damaged:
                data, crc = outlet.get()
                if isinstance(data, GaitError):
                    raise data
                # The library hands a member out before it compares them.
                if isinstance(data, bytes | Spool) and member.crc not in (None, crc):
                    data = None
                is_damaged = not isinstance(data, bytes | Spool)
            if isinstance(member.what, Part):
                yield Inner(member.what, member.size, partial(_opened_inside, data), _DAMAGE)
                outlet.room.release()
            elif member.is_unpacked:
                yield member.what._replace(read=partial(_given, data))
            else:
                yield member.what
    finally:
        outlet.close()
        unpacking.join()


class _Outlet:
    """What the library has unpacked and nobody has looked at yet.

    Attributes:
        sizes: of archives that are to be unpacked, by name.
        names: of everything that is.
        largest: the size of the largest other member, in bytes.
        room: for an archive, as one at a time is on the disk.
    """

    def __init__(self, members: list[_Wanted]) -> None:
        self.sizes = {each.name: each.size for each in members if isinstance(each.what, Part)}
        self.names = {each.name for each in members if each.is_unpacked}
        others = (e.size for e in members if e.is_unpacked and not isinstance(e.what, Part))
        self.largest = max(others, default=0)
        self.room = threading.Semaphore()
        # Things in their order; after an error or at the end, that.
        self._things: deque[_Thing] = deque()
        self._bytes = 0
        self._is_over = False
        self._change = threading.Condition()

    def put(self, thing: _Thing) -> None:
        """Hand out, once there is room for it, or stop the library when it is over."""
        size = _held_bytes(thing)
        with self._change:
            self._change.wait_for(
                lambda: (
                    self._is_over
                    or not self._things
                    or (len(self._things) < _AHEAD and self._bytes + size <= _AHEAD_BYTES)
                )
            )
            self.refuse_if_over()
            self._things.append(thing)
            self._bytes += size
            self._change.notify_all()

    def get(self) -> _Thing:
        """The next thing."""
        with self._change:
            self._change.wait_for(lambda: self._things)
            thing = self._things.popleft()
            self._bytes -= _held_bytes(thing)
            self._change.notify_all()
            return thing

    def refuse_if_over(self) -> None:
        """Stop the library when nobody wants any more.

        Raises:
            InterruptedError: that is so.
        """
        if self._is_over:
            raise InterruptedError

    def close(self) -> None:
        """Want nothing any more."""
        with self._change:
            self._is_over = True
            self._things.clear()
            self._change.notify_all()
        self.room.release()


def _held_bytes(thing: _Thing) -> int:
    return len(thing[0]) if isinstance(thing[0], bytes) else 0


def _unpack(archive: SevenZipFile, outlet: _Outlet) -> None:
    from py7zr.exceptions import DecompressionBombError

    end: GaitError | ExpansionError | None = None
    try:
        extract(archive, outlet.names, _handing_out(outlet))
    except GaitError as error:
        end = error
    except DecompressionBombError as error:
        end = ExpansionError(str(error))
    # After damage of any kind what is behind it is missing, and counted where it is wanted.
    except Exception:
        pass
    with suppress(InterruptedError):
        outlet.put((end, 0))


def _handing_out(outlet: _Outlet) -> WriterFactory:
    """What makes the library hand out each member that it has unpacked and checked."""
    from py7zr.io import Py7zBytesIO, WriterFactory

    class Frame(Py7zBytesIO):
        def close(self) -> None:
            # All of it: the library has gone back to its beginning.
            data = self._buffer.getvalue()
            # The library keeps what it has written to until it has unpacked everything.
            self._buffer = io.BytesIO()
            outlet.put((data, zlib.crc32(data)))

    class Archive(Py7zBytesIO):
        def __init__(self, name: str, size: int) -> None:
            super().__init__(name, 0)
            outlet.room.acquire()
            outlet.refuse_if_over()
            self._spool = Spool(name, size)
            self._crc = 0

        def write(self, s: bytes | bytearray) -> int:
            self._crc = zlib.crc32(s, self._crc)
            return self._spool.write(s)

        def seek(self, offset: int, whence: int = 0) -> int:
            return self._spool.seek(offset, whence)

        def close(self) -> None:
            outlet.put((self._spool, self._crc))

    class Members(WriterFactory):
        def create(self, filename: str) -> Py7zBytesIO:
            # The library tells where it would lay the member.
            for name in _ends_of(filename) if outlet.sizes else ():
                if name in outlet.sizes:
                    return Archive(name, outlet.sizes[name])
            return Frame(filename, outlet.largest)

    return Members()


def _ends_of(path: str) -> Iterator[str]:
    """A path without more and more of its first folders."""
    while path:
        yield path
        path = path.partition("/")[2]


def _opened_inside(data: object) -> IO[bytes]:
    if isinstance(data, ExpansionError):
        raise data
    if not isinstance(data, Spool):
        raise OSError("the archive around it is damaged before its end")
    return data


def _given(data: object) -> tuple[bytes, str]:
    if isinstance(data, ExpansionError):
        return b"", TOO_LARGE
    return (data, "") if isinstance(data, bytes) else (b"", DAMAGED)


def _nothing() -> tuple[bytes, str]:
    return b"", ""
