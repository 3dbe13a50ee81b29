"""Where raw files lie: on disk, or in archives, which may lie in each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath

# Between an archive and what is inside it, wherever a place is written down as text.
_SEPARATOR = "::"

# The reason by which a file is counted whose name could be taken for a place in an archive.
RESERVED_NAME = f"name with {_SEPARATOR}"


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder on disk.

    Attributes:
        path: its path below the raw folder.
    """

    path: str

    def __str__(self) -> str:
        return self.path

    @property
    def unpacked(self) -> str:
        """The path below the raw folder where it lies; see `ArchiveMember.unpacked`."""
        return self.path


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file or folder in an archive.

    Attributes:
        archive: path of the archive on disk, below the raw folder.
        member: path in the archive; in archives inside it, a nested name (see `nested_name`).
    """

    archive: str
    member: str

    def __str__(self) -> str:
        return nested_name(self.archive, self.member)

    @property
    def unpacked(self) -> str:
        """The path it would have below the raw folder if every archive were unpacked in place.

        For `e` in the archive `c/d.tgz` in the archive `a/b.zip`, that is `a/c/e`.
        """
        *archives, path = str(self).split(_SEPARATOR)
        parents = [PurePosixPath(archive).parent for archive in archives]
        return str(PurePosixPath(*parents, path))

    @property
    def archives(self) -> list[str]:
        """The archive on disk, the one inside it, and so on down to the member's own."""
        return outer_archives(str(self))


Source = File | ArchiveMember


def parse_source(text: str) -> Source:
    """Parse what `str` of a source gives."""
    archive, separator, member = text.partition(_SEPARATOR)
    return ArchiveMember(archive, member) if separator else File(text)


def nested_name(archive: str, member: str) -> str:
    """Name a member of an archive that lies in another one; `archive` is empty for none."""
    return f"{archive}{_SEPARATOR}{member}" if archive else member


def outer_archives(name: str) -> list[str]:
    """Names of the archives that a nested name lies in, the outermost first."""
    *archives, _ = name.split(_SEPARATOR)
    return list(accumulate(archives, nested_name))


def is_reserved(name: str) -> bool:
    """Whether a file name could be taken for a place in an archive."""
    return _SEPARATOR in name
