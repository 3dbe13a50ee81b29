"""What every kind of archive shares: which of its members are frames, and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from gait.prepare.tree import is_frame, is_system, is_text, suffix_of

# Between an archive's path and what is inside it, in a catalogue's `source`.
SEPARATOR = "::"

# A silhouette takes kilobytes; what claims to be larger would only fill the memory.
LARGEST_BYTES = 64 * 2**20

# Published archives lie three deep in each other; one that holds itself would never end.
DEEPEST = 4

DAMAGED = "damaged in the archive"
TOO_LARGE = "too large"

READ = (".tar", ".tgz", ".tar.gz", ".zip", ".7z")
ARCHIVES = (*READ, ".rar")


class Member(NamedTuple):
    """A frame in an archive.

    Attributes:
        folder: its folder, as `Contents.folders` names it.
        name: its file name.
        read: gives its bytes and an empty text, or no bytes and what is wrong with it.
    """

    folder: str
    name: str
    read: Callable[[], tuple[bytes, str]]


class Inner(NamedTuple):
    """An archive in an archive, to be walked through before the next member is asked for.

    Attributes:
        part: what it is a part of.
        size: its size in bytes, as the archive around it tells it.
        open: gives its bytes, from the front.
        damage: what opening and reading it may raise when the archive around it is corrupt.
    """

    part: Part
    size: int
    open: Callable[[], IO[bytes]]
    damage: tuple[type[Exception], ...]


@dataclass(slots=True)
class Contents:
    """What an archive holds.

    Attributes:
        folders: every folder, also those without a frame, with its number of frames. One inside
            a nested archive is named `<path of that archive>::<folder inside>`.
        problems: why an archive could not be listed to its end, by its path inside, which is
            empty for the outermost one.
        unfinished: the folders that may lack frames because an archive ends too early: the one
            that the listing broke off in; all of them when folders are interleaved.
        ignored: how many members are not used, by reason.
    """

    folders: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    ignored: Counter[str] = field(default_factory=Counter)


class Wanted:
    """The folders whose frames are wanted, and the archives inside that hold them.

    Args:
        folders: as `Contents.folders` names them; None for all, which is to list them.
    """

    def __init__(self, folders: Iterable[str] | None) -> None:
        self.is_listing = folders is None
        self._folders = None if folders is None else frozenset(folders)
        self._archives = {
            outer
            for folder in self._folders or ()
            for outer in accumulate(
                folder.split(SEPARATOR)[:-1], lambda one, other: one + SEPARATOR + other
            )
        }

    def has_folder(self, folder: str) -> bool:
        """Whether a folder's frames are wanted."""
        return self._folders is None or folder in self._folders

    def has_archive(self, inside: str) -> bool:
        """Whether an archive inside may hold what is wanted."""
        return self._folders is None or inside in self._archives


class Part:
    """An archive on the way through: the outermost one or one inside it.

    Args:
        path: where the outermost archive lies.
        contents: gets what is found.
        wanted: what is wanted of it.
        inside: path of the archive inside the outermost one; empty for that one.
    """

    def __init__(self, path: Path, contents: Contents, wanted: Wanted, inside: str = "") -> None:
        self.path = path
        self.is_listing = wanted.is_listing
        self._contents = contents
        self._wanted = wanted
        self._inside = inside
        self._seen: set[str] = set()
        self._last = ""
        self._changes = 0

    def __str__(self) -> str:
        return f"{self.path}{SEPARATOR}{self._inside}" if self._inside else str(self.path)

    @property
    def suffix(self) -> str:
        """What kind of archive it is: '.zip', '.7z', or else one of tar files."""
        return suffix_of(self._inside or self.path.name)

    def take(
        self,
        name: str,
        size: int,
        is_folder: bool,
        is_file: bool,
        read: Callable[[], tuple[bytes, str]],
    ) -> Member | Part | None:
        """Note a member, and give it back if it is a frame that is wanted, or an archive.

        Args:
            name: its path.
            size: its size in bytes, as the archive tells it.
            is_folder: whether it is a folder.
            is_file: whether it is an ordinary file, no link.
            read: reads it, see `Member.read`.

        Returns:
            The frame; the part that an archive is, if what is wanted may be in it; or None.
        """
        path = PurePosixPath(name)
        if reason := refusal(name):
            self._contents.ignored[reason] += 1
        elif is_folder:
            self._contents.folders[self._named(path)] += 0
        elif is_file and is_frame(path.name):
            folder = self._named(path.parent)
            self._count(folder)
            if self._wanted.has_folder(folder):
                return Member(folder, path.name, _too_large if size > LARGEST_BYTES else read)
        elif is_file and path.name.lower().endswith(ARCHIVES):
            return self._archive(path)
        else:
            self._contents.ignored["archive member that is no image file"] += 1
        return None

    def damaged(self, error: Exception) -> None:
        """Note that this archive cannot be read further."""
        is_cut = isinstance(error, EOFError)
        problem = "it is cut short" if is_cut else str(error) or type(error).__name__
        self._contents.problems[self._inside] = problem
        is_in_turn = self._changes == len(self._seen)
        self._contents.unfinished |= {self._last} if is_in_turn and self._last else self._seen

    def _named(self, path: PurePosixPath) -> str:
        return f"{self._inside}{SEPARATOR}{path}" if self._inside else str(path)

    def _count(self, folder: str) -> None:
        self._contents.folders[folder] += 1
        if folder != self._last:
            self._seen.add(folder)
            self._changes += 1
            self._last = folder

    def _archive(self, path: PurePosixPath) -> Part | None:
        inside = self._named(path)
        if not path.name.lower().endswith(READ) or inside.count(SEPARATOR) + 2 > DEEPEST:
            self._contents.ignored[f"archive inside an archive ({suffix_of(path.name)})"] += 1
        elif self._wanted.has_archive(inside):
            return Part(self.path, self._contents, self._wanted, inside)
        return None


def refusal(name: str) -> str:
    """Why a member of this name is not used; empty when it may be."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or SEPARATOR in name:
        return "archive member with a path that leads out of it"
    if any(is_system(part) for part in path.parts):
        return "system file"
    return "" if is_text(name) else "name that is not UTF-8"


def _too_large() -> tuple[bytes, str]:
    return b"", TOO_LARGE
