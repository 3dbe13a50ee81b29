"""Reads tar and zip files member by member, also those that are damaged, and unpacks nothing."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from gait.errors import DataError
from gait.prepare.tree import is_frame, is_system, is_text

# Between an archive's path and a folder inside it, in a catalogue's `source`.
SEPARATOR = "::"

# A silhouette takes kilobytes; what claims to be larger would only fill the memory.
LARGEST_BYTES = 64 * 2**20

# What the readers raise on content that is cut short, corrupt, encrypted or of an unknown method.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
)


class Member(NamedTuple):
    """A frame in an archive: its folder there, its name, its size in bytes, where it is."""

    folder: str
    name: str
    size: int
    entry: Any


@dataclass(slots=True)
class Archive:
    """An open archive.

    Attributes:
        folders: every folder, also those without a frame, with its number of frames.
        members: the frames, in the order in which they are stored.
        problem: why the archive could not be listed to its end; empty when it could.
        ignored: how many members are not used, by reason.
    """

    folders: Counter[str] = field(default_factory=Counter)
    members: list[Member] = field(default_factory=list)
    problem: str = ""
    ignored: Counter[str] = field(default_factory=Counter)
    _file: Any = None

    def read(self, member: Member) -> tuple[bytes, str]:
        """A frame's bytes and an empty text, or no bytes and what is wrong with it."""
        if member.size > LARGEST_BYTES:
            return b"", "too large"
        try:
            if isinstance(self._file, zipfile.ZipFile):
                data = self._file.read(member.entry)
            else:
                self._file.seek(member.entry.offset_data)
                data = self._file.read(member.size)
        except _DAMAGE:
            return b"", "damaged in the archive"
        return (data, "") if len(data) == member.size else (b"", "damaged in the archive")

    def unfinished(self) -> set[str]:
        """The folders that may lack frames because the archive ends too early.

        That is the folder the listing broke off in; all of them when folders are interleaved.
        """
        if not self.problem or not self.members:
            return set()
        changes = sum(
            before.folder != after.folder
            for before, after in zip(self.members, self.members[1:], strict=False)
        )
        distinct = {member.folder for member in self.members}
        return {self.members[-1].folder} if changes == len(distinct) - 1 else distinct

    def _add(self, name: str, size: int, is_folder: bool, is_file: bool, entry: Any) -> None:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or SEPARATOR in name:
            self.ignored["archive member with a path that leads out of it"] += 1
        elif any(is_system(part) for part in path.parts):
            self.ignored["system file"] += 1
        elif not is_text(name):
            self.ignored["name that is not UTF-8"] += 1
        elif is_folder:
            self.folders[str(path)] += 0
        elif is_file and is_frame(path.name):
            self.folders[str(path.parent)] += 1
            self.members.append(Member(str(path.parent), path.name, size, entry))
        else:
            self.ignored["archive member that is no image file"] += 1


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Opens a .tar, .tar.gz, .tgz or .zip file and lists it; damage is noted, not raised.

    Raises:
        DataError: the file is not there or may not be read.
    """
    archive = Archive()
    try:
        raw = path.open("rb")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened ({error.strerror}); make the archive readable"
        ) from error
    with raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if path.suffix.lower() == ".zip":
            _list_zip(archive, raw)
            yield archive
        elif is_gzip:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                _list_tar(archive, unpacked)
                yield archive
        else:
            _list_tar(archive, raw)
            yield archive


def _list_zip(archive: Archive, raw: IO[bytes]) -> None:
    try:
        archive._file = zipfile.ZipFile(raw)
    except _DAMAGE as error:
        archive.problem = _reason(error)
        return
    for info in sorted(archive._file.infolist(), key=lambda each: each.header_offset):
        # The upper half of the attributes is a Unix mode where the archiver gave one.
        is_link = (info.external_attr >> 28) == 0o12
        archive._add(
            info.filename, info.file_size, info.is_dir(), not info.is_dir() and not is_link, info
        )


def _list_tar(archive: Archive, stream: IO[bytes] | gzip.GzipFile) -> None:
    watched = _Watched(stream)
    archive._file = watched
    try:
        tar = tarfile.TarFile(fileobj=watched)  # type: ignore[arg-type]
        while (info := tar.next()) is not None:
            is_file = info.isreg() and not info.issparse()
            archive._add(info.name, info.size, info.isdir(), is_file, info)
    except _DAMAGE as error:
        archive.problem = _reason(error)
        return
    # A tar file ends with blocks of zeros. The standard reader takes a file that was cut, or that
    # turns into something else, for one that ended.
    if watched.last != bytes(tarfile.BLOCKSIZE):
        archive.problem = "it is cut short"


def _reason(error: Exception) -> str:
    return "it is cut short" if isinstance(error, EOFError) else str(error) or type(error).__name__


class _Watched:
    """A stream that remembers what was last read from it."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        self.last = self._stream.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
