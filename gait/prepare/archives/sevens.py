"""Walks through 7z files, also encrypted ones."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, NamedTuple

from gait.errors import GaitError, MissingExtraError
from gait.prepare.archives.part import DAMAGED, LARGEST_BYTES, Inner, Member, Part, refusal
from gait.prepare.archives.passwords import password_of, wrong_password
from gait.prepare.archives.spool import Spool

if TYPE_CHECKING:
    from py7zr import SevenZipFile
    from py7zr.io import WriterFactory

# Frames unpacked ahead of the one that is looked at.
_AHEAD = 64

_DAMAGE = (EOFError, OSError)

# So much of a member tells whether the password is right.
_TRIED_BYTES = 2**20

# What comes out of the file: a frame, an archive in it, the error that stopped it, or its end.
_Thing = bytes | Spool | GaitError | None


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
        archive = _opened(part, raw)
        infos = archive.list()
    except GaitError:
        raise
    # Bytes from outside make the reader fail in any way; each means that the file is damaged.
    except Exception as error:
        part.damaged(error)
        return
    members: list[_Wanted] = []
    for info in infos:
        size = info.uncompressed
        found = part.take(info.filename, size, info.is_directory, info.is_file, _nothing)
        if isinstance(found, Part):
            members.append(_Wanted(found, info.filename, size, is_unpacked=True))
        elif found is not None:
            is_unpacked = 0 < size <= LARGEST_BYTES
            members.append(_Wanted(found, info.filename, size, is_unpacked))
    if any(member.is_unpacked for member in members):
        yield from _unpacked(archive, members)
    else:
        yield from (each.what for each in members if isinstance(each.what, Member))


class _Wanted(NamedTuple):
    """A member that is wanted; empty and oversized frames are not unpacked."""

    what: Member | Part
    name: str
    size: int
    is_unpacked: bool


def _opened(part: Part, raw: IO[bytes]) -> SevenZipFile:
    """The file with its password, if it needs one, which has been tried."""
    try:
        from py7zr import SevenZipFile
        from py7zr.exceptions import PasswordRequired
    except ImportError:
        raise MissingExtraError(f"{part}, a 7z file,", "archives") from None
    try:
        archive = SevenZipFile(raw)
        if not archive.needs_password():
            return archive
    # The list of files may be encrypted as well.
    except PasswordRequired:
        pass
    password = password_of(part)
    raw.seek(0)
    try:
        archive = SevenZipFile(raw, password=password.text)
        filled = (each.filename for each in archive.list() if each.uncompressed)
        if (first := next((name for name in filled if not refusal(name)), None)) is not None:
            with suppress(_EnoughError):
                _extract(archive, {first}, _trying())
            archive.reset()
    # What a wrong password turns the content into makes the reader fail in any way.
    except Exception:
        raise wrong_password(part, password) from None
    return archive


class _EnoughError(Exception):
    """So much could be unpacked that the password must be right."""


def _trying() -> WriterFactory:
    """What lets the library unpack the beginning of a member, and check a small one whole."""
    from py7zr.io import Py7zBytesIO, WriterFactory

    class Beginning(Py7zBytesIO):
        def write(self, s: bytes | bytearray) -> int:
            if self.size() > _TRIED_BYTES:
                raise _EnoughError
            return super().write(s)

    class Beginnings(WriterFactory):
        def create(self, filename: str) -> Py7zBytesIO:
            return Beginning(filename, LARGEST_BYTES)

    return Beginnings()


def _extract(archive: SevenZipFile, names: set[str], factory: WriterFactory) -> None:
    # Nothing is written there; but the library looks where the names would lead on disk, and
    # in the working folder a link of such a name would have it refuse the file.
    with TemporaryDirectory() as nowhere:
        archive.extract(nowhere, targets=names, factory=factory)


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
        for member in members:
            data = None
            if member.is_unpacked and not is_damaged:
                data = outlet.things.get()
                if isinstance(data, GaitError):
                    raise data
                is_damaged = data is None
            if isinstance(member.what, Part):
                yield Inner(member.what, member.size, partial(_opened_inside, data), _DAMAGE)
                outlet.room.release()
            elif member.is_unpacked:
                yield member.what._replace(read=partial(_given, data))
            else:
                yield member.what
    finally:
        outlet.is_over.set()
        outlet.room.release()
        while unpacking.is_alive():
            with suppress(queue.Empty):
                outlet.things.get(timeout=0.01)


class _Outlet:
    """What the library has unpacked and nobody has looked at yet.

    Attributes:
        sizes: of archives that are to be unpacked, by name.
        names: of everything that is.
        things: frames and archives in their order; after an error or at the end, that.
        room: for an archive, as one at a time is on the disk.
        is_over: whether nobody wants any more.
    """

    def __init__(self, members: list[_Wanted]) -> None:
        self.sizes = {each.name: each.size for each in members if isinstance(each.what, Part)}
        self.names = {each.name for each in members if each.is_unpacked}
        self.things: queue.Queue[_Thing] = queue.Queue(_AHEAD)
        self.room = threading.Semaphore()
        self.is_over = threading.Event()

    def put(self, thing: _Thing) -> None:
        """Hands out, or stops the library when it is over."""
        if self.is_over.is_set():
            raise InterruptedError
        self.things.put(thing)


def _unpack(archive: SevenZipFile, outlet: _Outlet) -> None:
    end: _Thing = None
    try:
        _extract(archive, outlet.names, _handing_out(outlet))
    except GaitError as error:
        end = error
    # After damage of any kind what is behind it is missing, and counted where it is wanted.
    except Exception:
        pass
    with suppress(InterruptedError):
        outlet.put(end)


def _handing_out(outlet: _Outlet) -> WriterFactory:
    """What makes the library hand out each member that it has unpacked and checked."""
    from py7zr.io import Py7zBytesIO, WriterFactory

    class Frame(Py7zBytesIO):
        def close(self) -> None:
            outlet.put(self.read())

    class Archive(Py7zBytesIO):
        def __init__(self, name: str, size: int) -> None:
            super().__init__(name, 0)
            outlet.room.acquire()
            if outlet.is_over.is_set():
                raise InterruptedError
            self._spool = Spool(name, size)

        def write(self, s: bytes | bytearray) -> int:
            return self._spool.write(s)

        def seek(self, offset: int, whence: int = 0) -> int:
            return self._spool.seek(offset, whence)

        def close(self) -> None:
            outlet.put(self._spool)

    class Members(WriterFactory):
        def create(self, filename: str) -> Py7zBytesIO:
            # The library tells where it would lay the member.
            for name in _ends_of(filename) if outlet.sizes else ():
                if name in outlet.sizes:
                    return Archive(name, outlet.sizes[name])
            return Frame(filename, LARGEST_BYTES)

    return Members()


def _ends_of(path: str) -> Iterator[str]:
    """A path without more and more of its first folders."""
    while path:
        yield path
        path = path.partition("/")[2]


def _opened_inside(data: _Thing) -> IO[bytes]:
    if not isinstance(data, Spool):
        raise OSError("the archive around it is damaged before its end")
    return data


def _given(data: _Thing) -> tuple[bytes, str]:
    return (data, "") if isinstance(data, bytes) else (b"", DAMAGED)


def _nothing() -> tuple[bytes, str]:
    return b"", ""
