"""Walks through 7z files, also encrypted ones."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

from gait.errors import GaitError, MissingExtraError
from gait.prepare.archives.part import DAMAGED, LARGEST_BYTES, Member, Part, refusal
from gait.prepare.archives.passwords import password_of, wrong_password

if TYPE_CHECKING:
    from py7zr import SevenZipFile
    from py7zr.io import WriterFactory

# Frames unpacked ahead of the one that is looked at.
_AHEAD = 64


def walk_seven(part: Part, path: Path, raw: IO[bytes], is_listing: bool) -> Iterator[Member]:
    """The wanted frames of a 7z file.

    They are compressed together, so that a pass unpacks everything before the last wanted one,
    once; a listing unpacks nothing but one frame, by which the password is tried. Behind a frame
    that is damaged, nothing can be read.

    Raises:
        DataError: the file is encrypted and the password is missing or wrong.
        MissingExtraError: the library is not installed.
    """
    try:
        archive = _opened(path, raw)
        infos = archive.list()
    except GaitError:
        raise
    # Bytes from outside make the reader fail in any way; each means that the file is damaged.
    except Exception as error:
        part.damaged(error)
        return
    # Each with its name, if it is to be unpacked; empty and oversized ones are not.
    members: list[tuple[Member, str]] = []
    for info in infos:
        found = part.take(
            info.filename, info.uncompressed, info.is_directory, info.is_file, _nothing
        )
        if isinstance(found, Part):
            found.damaged(NotImplementedError("inside a 7z file it is not read; unpack that"))
        elif found is not None:
            is_unpacked = 0 < info.uncompressed <= LARGEST_BYTES
            members.append((found, info.filename if is_unpacked else ""))
    if is_listing:
        yield from (member for member, _ in members)
    elif members:
        yield from _unpacked(archive, members)


def _opened(path: Path, raw: IO[bytes]) -> SevenZipFile:
    """The file with its password, if it needs one, which has been tried."""
    try:
        from py7zr import SevenZipFile
        from py7zr.exceptions import PasswordRequired
        from py7zr.io import BytesIOFactory
    except ImportError:
        raise MissingExtraError(f"{path}, a 7z file,", "archives") from None
    try:
        archive = SevenZipFile(raw)
        if not archive.needs_password():
            return archive
    # The list of files may be encrypted as well.
    except PasswordRequired:
        pass
    password = password_of(path)
    raw.seek(0)
    try:
        archive = SevenZipFile(raw, password=password.text)
        tried = (
            info.filename
            for info in archive.list()
            if 0 < info.uncompressed <= LARGEST_BYTES and not refusal(info.filename)
        )
        if (first := next(tried, None)) is not None:
            _extract(archive, {first}, BytesIOFactory(LARGEST_BYTES))
            archive.reset()
    # What a wrong password turns the content into makes the reader fail in any way.
    except Exception:
        raise wrong_password(path, password) from None
    return archive


def _extract(archive: SevenZipFile, names: set[str], factory: WriterFactory) -> None:
    # Nothing is written there; but the library looks where the names would lead on disk, and
    # in the working folder a link of such a name would have it refuse the file.
    with TemporaryDirectory() as nowhere:
        archive.extract(nowhere, targets=names, factory=factory)


def _unpacked(archive: SevenZipFile, members: list[tuple[Member, str]]) -> Iterator[Member]:
    """The members in their order; those with a name to unpack get what comes of it.

    The library hands out what it unpacks by calls. A thread takes them, so that no more than a
    few frames are held at a time.
    """
    frames: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
    is_over = threading.Event()
    names = {name for _, name in members if name}
    unpacking = threading.Thread(
        target=_unpack, args=(archive, names, frames, is_over), daemon=True
    )
    unpacking.start()
    try:
        is_damaged = False
        for member, name in members:
            if not name:
                yield member
                continue
            data = None if is_damaged else frames.get()
            is_damaged = data is None
            yield member._replace(read=_given(data))
    finally:
        is_over.set()
        while unpacking.is_alive():
            if not frames.empty():
                frames.get()
            unpacking.join(0.01)


def _unpack(
    archive: SevenZipFile,
    names: set[str],
    frames: queue.Queue[bytes | None],
    is_over: threading.Event,
) -> None:
    # After damage of any kind the frames behind it are missing, and counted where they are wanted.
    with suppress(Exception):
        _extract(archive, names, _handing_out(frames, is_over))
    frames.put(None)


def _handing_out(frames: queue.Queue[bytes | None], is_over: threading.Event) -> WriterFactory:
    """What makes the library put each file that it has unpacked and checked in a queue."""
    from py7zr.io import Py7zBytesIO, WriterFactory

    class Frame(Py7zBytesIO):
        def close(self) -> None:
            if is_over.is_set():
                raise InterruptedError
            frames.put(self.read())

    class Frames(WriterFactory):
        def create(self, filename: str) -> Frame:
            return Frame(filename, LARGEST_BYTES)

    return Frames()


def _given(data: bytes | None) -> Callable[[], tuple[bytes, str]]:
    return lambda: (b"", DAMAGED) if data is None else (data, "")


def _nothing() -> tuple[bytes, str]:
    return b"", ""
