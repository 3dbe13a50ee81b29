"""Walks through 7z files, also encrypted ones."""

from __future__ import annotations

import io
import re
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from gait.errors import GaitError, MissingExtraError
from gait.limits import ARCHIVE_MEMBERS
from gait.prepare.archives.part import (
    DAMAGED,
    TOO_LARGE,
    ExpansionError,
    Inner,
    Member,
    Part,
    largest,
    refusal,
)
from gait.prepare.archives.passwords import password_of, wrong_password
from gait.prepare.archives.spool import Spool

if TYPE_CHECKING:
    from py7zr import SevenZipFile
    from py7zr.io import WriterFactory

# What is unpacked ahead of the file that is looked at: so many files, and so many bytes of them
# besides the last one.
_AHEAD = 64
_AHEAD_BYTES = 2**26

# So much of the file is read at a time. Of what the library decompresses with no bound of its
# own, 4 bytes become up to 128 KiB.
_PIECE_BYTES = 2**12

# What a file begins with; from its end on, where the list of members begins and how long it is.
_START = struct.Struct("<12x2Q4x")

# Encryption, and the first byte of its properties, which tells the binary logarithm of how often
# the password is digested. 7-Zip writes 19, which takes half a second.
_CIPHER_ID = b"\x06\xf1\x07\x01"
_CIPHER = re.compile(re.escape(_CIPHER_ID) + b".(.)", re.DOTALL)
_MOST_CYCLES = 20

# Their libraries have been seen to crash, and are not known not to.
_REFUSED = {b"\x03\x04\x01": "PPMd", b"\x04\x01\x09": "Deflate64"}
# How a list of members begins that is compressed itself.
_PACKED_HEADER = b"\x17"

_DAMAGE = (EOFError, OSError)

# So much of a member tells whether the password is right.
_TRIED_BYTES = 2**20

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
        archive = _opened(part, cast(IO[bytes], _Pieces(raw)))
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


class _Pieces(io.BufferedIOBase):
    """A file of which only the list of members is read in one go."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__()
        self._raw = raw
        raw.seek(0)
        offset, self._whole_bytes = _START.unpack(raw.read(_START.size).ljust(_START.size, b"\0"))
        self._whole_at = _START.size + offset
        raw.seek(0)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As of any file."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._raw.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, or some of them."""
        if size is not None and size == self._whole_bytes and self.tell() == self._whole_at:
            data = self._raw.read(size)
            for found in _CIPHER.finditer(data):
                _refuse_slow_key(found[1])
            for method in _REFUSED if data.startswith(_PACKED_HEADER) else ():
                if method in data:
                    _refuse_method(method)
            return data
        return self._raw.read(
            _PIECE_BYTES if size is None or size < 0 else min(size, _PIECE_BYTES)
        )


class _RefusedError(OSError):
    """What it takes to read the file is not done."""


def _refuse_coders(archive: SevenZipFile) -> None:
    """Look at how members are compressed and encrypted, before any of them is unpacked."""
    if archive.files and archive.header.main_streams:
        for folder in archive.header.main_streams.unpackinfo.folders:
            for coder in folder.coders:
                _refuse_method(coder["method"])
                if coder["method"] == _CIPHER_ID:
                    _refuse_slow_key(coder.get("properties") or b"")


def _refuse_slow_key(properties: bytes) -> None:
    """Raise where deriving the key would take minutes."""
    if properties[:1] and properties[0] & 0x3F > _MOST_CYCLES:
        raise _RefusedError(f"its key takes 2^{properties[0] & 0x3F} steps to derive")


def _refuse_method(method: bytes) -> None:
    """Raise for methods whose libraries write to memory that is not theirs on damaged files."""
    if name := _REFUSED.get(method):
        raise _RefusedError(f"it is compressed by {name}; pack it again with LZMA2")


def _opened(part: Part, raw: IO[bytes]) -> SevenZipFile:
    """The file with its password, if it needs one, which has been tried."""
    try:
        from py7zr import SevenZipFile, archiveinfo
        from py7zr.exceptions import PasswordRequired
    except ImportError:
        raise MissingExtraError(f"{part}, a 7z file,", "archives") from None
    # The library's own bound is for a machine with many gigabytes.
    archiveinfo.MAX_NUMFILES = ARCHIVE_MEMBERS.value
    most = part.growth.most
    try:
        archive = SevenZipFile(raw, max_extract_size=most)
        _refuse_coders(archive)
        if not archive.needs_password():
            return archive
    # The list of files may be encrypted as well.
    except PasswordRequired:
        pass
    password = password_of(part)
    raw.seek(0)
    try:
        archive = SevenZipFile(raw, password=password.text, max_extract_size=most)
        _refuse_coders(archive)
        filled = (each.filename for each in archive.files if each.uncompressed)
        if (first := next((name for name in filled if not refusal(name)), None)) is not None:
            with suppress(_EnoughError):
                _extract(archive, {first}, _trying())
            archive.reset()
    except _RefusedError:
        raise
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
            if self.size() + len(s) > _TRIED_BYTES:
                raise _EnoughError
            return super().write(s)

    class Beginnings(WriterFactory):
        def create(self, filename: str) -> Py7zBytesIO:
            return Beginning(filename, 2 * _TRIED_BYTES)

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
        _extract(archive, outlet.names, _handing_out(outlet))
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
