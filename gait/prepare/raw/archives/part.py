"""What every kind of archive shares: which of its members are wanted, and what is counted."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from gait.formats.catalogue import FRAME_SUFFIXES, IMAGES
from gait.formats.source import is_reserved, nested_name, outer_archives
from gait.limits import ARCHIVE_FOLDERS, EXPANSION, FILE_BYTES, IMAGE_BYTES
from gait.prepare.raw.files import is_frame, is_system, not_looked_for, suffix_of, unfit_name
from gait.prepare.raw.unread import unread_format

# Published archives lie three deep in each other; one that holds itself would never end.
DEEPEST = 4

# What a small archive may become in any case.
_SMALL_BYTES = 2**26

DAMAGED = "damaged in the archive"
TOO_LARGE = "too large"

READ = (".tar", ".tgz", ".tar.gz", ".zip", ".7z")
ARCHIVES = (*READ, ".rar")


# The reason by which a member is counted that is no frame, until it is found to be used.
NO_IMAGE = "other archive member"

_OTHER_FRAMES = FRAME_SUFFIXES - IMAGES

_BEYOND = f"folder of an archive beyond the number that {ARCHIVE_FOLDERS.variable} allows"

# Whether a member of a name is wanted.
NameFilter = Callable[[str], bool]


class Member(NamedTuple):
    """A file in an archive that is wanted.

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
        folders: every folder, also those without a frame, with the number of files by suffix, as
            far as a sequence of some kind has such frames. One inside a nested archive is named
            by `gait.formats.source.nested_name`.
        matches: for every folder, by a pattern of names that was asked for, how many images match
            it, and how many other files.
        problems: why an archive could not be listed to its end, by its path inside, which is
            empty for the outermost one.
        unfinished: the folders that may lack frames because an archive ends too early: the one
            that the listing broke off in; all of them when folders are interleaved.
        ignored: how many members are not used, by reason.
    """

    folders: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    matches: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    problems: dict[str, str] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    ignored: Counter[str] = field(default_factory=Counter)


class ExpansionError(OSError):
    """An archive becomes larger than any that holds what it should."""


class Growth:
    """How large an archive becomes as it is unpacked, with those inside it.

    Args:
        size: of the file on disk, in bytes.

    Attributes:
        most: how many bytes it may become.
    """

    def __init__(self, size: int) -> None:
        self.most = max(_SMALL_BYTES, EXPANSION.value * size)
        self._left = self.most

    def add(self, size: int) -> None:
        """Count what has been unpacked.

        Raises:
            ExpansionError: it is too much.
        """
        self._left -= size
        if self._left < 0:
            raise self.error()

    def error(self) -> ExpansionError:
        """What is wrong with an archive that becomes too large."""
        return ExpansionError(
            f"it would become more than {EXPANSION.value:,} times as large as the file, which "
            f"{EXPANSION.variable} allows"
        )


class Wanted:
    """The members that are wanted, and the archives inside that hold them.

    Args:
        folders: by folder, as `Contents.folders` names them, which names are wanted of it; None
            to list everything.
        patterns: of names whose matches are to be counted in each folder.
    """

    def __init__(
        self, folders: Mapping[str, NameFilter] | None, patterns: Collection[str] = ()
    ) -> None:
        self.is_listing = folders is None
        self._folders = folders or {}
        self._patterns = {each: re.compile(translate(each)).match for each in patterns}
        self._archives = {outer for folder in self._folders for outer in outer_archives(folder)}

    def has(self, folder: str, name: str) -> bool:
        """Whether a file is wanted."""
        names = self._folders.get(folder)
        return names is not None and names(name)

    def has_archive(self, inside: str) -> bool:
        """Whether an archive inside may hold what is wanted."""
        return self.is_listing or inside in self._archives

    def patterns_of(self, name: str) -> list[str]:
        """The patterns that a name matches."""
        return [each for each, matches in self._patterns.items() if matches(name)]


class Part:
    """An archive on the way through: the outermost one or one inside it.

    Args:
        path: where the outermost archive lies.
        contents: gets what is found.
        wanted: what is wanted of it.
        growth: how large the outermost archive becomes.
        inside: path of the archive inside the outermost one; empty for that one.
    """

    def __init__(
        self, path: Path, contents: Contents, wanted: Wanted, growth: Growth, inside: str = ""
    ) -> None:
        self.path = path
        self.growth = growth
        self.is_listing = wanted.is_listing
        self._contents = contents
        self._wanted = wanted
        self._inside = inside
        self._most_folders = ARCHIVE_FOLDERS.value
        self._seen: set[str] = set()
        self._last = ""
        self._changes = 0

    def __str__(self) -> str:
        return nested_name(str(self.path), self._inside) if self._inside else str(self.path)

    @property
    def is_inside(self) -> bool:
        """Whether it lies in another archive."""
        return bool(self._inside)

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
        """Give a member back if it is a file that is wanted, or an archive; a listing counts it.

        Args:
            name: its path.
            size: its size in bytes, as the archive tells it.
            is_folder: whether it is a folder.
            is_file: whether it is an ordinary file, no link.
            read: reads it, see `Member.read`.

        Returns:
            The file; the part that an archive is, if what is wanted may be in it; or None.
        """
        parts = _parts(name)
        if reason := _refusal(name, parts):
            self._contents.ignored[reason] += 1
        elif is_folder:
            if self._has_room(folder := self._named(parts)):
                self._contents.folders[folder] += Counter()
        elif not is_file:
            self._contents.ignored[NO_IMAGE] += 1
        elif parts[-1:] and parts[-1].lower().endswith(ARCHIVES):
            return self._archive(self._named(parts), parts[-1])
        elif self.is_listing:
            self._count(self._named(parts[:-1]), parts[-1] if parts else "")
        elif parts and self._wanted.has(folder := self._named(parts[:-1]), parts[-1]):
            is_large = size > largest(parts[-1])
            return Member(folder, parts[-1], _too_large if is_large else read)
        return None

    def leave_out(self, reason: str) -> None:
        """Count a member that cannot be used."""
        self._contents.ignored[reason] += 1

    def damaged(self, error: Exception) -> None:
        """Note that this archive cannot be read further."""
        self.doubted(error)
        is_in_turn = self._changes == len(self._seen)
        self._contents.unfinished |= {self._last} if is_in_turn and self._last else self._seen

    def doubted(self, error: Exception) -> None:
        """Note that this archive was read to its end and is not what it was made as."""
        is_cut = isinstance(error, EOFError)
        problem = "it is cut short" if is_cut else str(error) or type(error).__name__
        self._contents.problems[self._inside] = problem

    def _has_room(self, folder: str) -> bool:
        """Whether a folder is one of those that are kept in mind."""
        folders = self._contents.folders
        if folder in folders or len(folders) < self._most_folders:
            return True
        self._contents.ignored[_BEYOND] += 1
        return False

    def _named(self, parts: Sequence[str]) -> str:
        path = "/".join(parts) or "."
        return nested_name(self._inside, path)

    def _count(self, folder: str, name: str) -> None:
        if not self._has_room(folder):
            return
        suffix, is_image = suffix_of(name), is_frame(name)
        patterns = self._wanted.patterns_of(name)
        is_frame_like = is_image or suffix in _OTHER_FRAMES
        if not is_image:
            # One of a format that nothing reads may be what is missing.
            is_unread = not patterns and unread_format(suffix) is not None
            self._contents.ignored[not_looked_for(name) if is_unread else NO_IMAGE] += 1
        if is_frame_like:
            self._contents.folders[folder][suffix] += 1
        for pattern in patterns:
            self._contents.matches[folder].setdefault(pattern, [0, 0])[not is_image] += 1
        if folder != self._last and (is_frame_like or patterns):
            self._seen.add(folder)
            self._changes += 1
            self._last = folder

    def _archive(self, inside: str, name: str) -> Part | None:
        if not name.lower().endswith(READ) or len(outer_archives(inside)) + 2 > DEEPEST:
            self._contents.ignored[f"archive inside an archive ({suffix_of(name)})"] += 1
        elif self._wanted.has_archive(inside):
            return Part(self.path, self._contents, self._wanted, self.growth, inside)
        return None


def refusal(name: str) -> str:
    """Why a member of this name is not used; empty when it may be."""
    return _refusal(name, _parts(name))


def _parts(name: str) -> Sequence[str]:
    """What a path consists of; the parts of one like `/a/../b` begin with `/` and hold `..`."""
    parts = name.split("/")
    return PurePosixPath(name).parts if "" in parts or "." in parts else parts


def _refusal(name: str, parts: Sequence[str]) -> str:
    if not name:
        return "archive member without a name"
    if ".." in parts or parts[:1] in (("/",), ("//",)) or is_reserved(name):
        return "archive member with a path that leads out of it"
    if any(map(is_system, parts)):
        return "system file"
    return unfit_name(name)


def largest(name: str) -> int:
    """How many bytes a file of a name may have."""
    return (IMAGE_BYTES if suffix_of(name) in IMAGES else FILE_BYTES).value


def _too_large() -> tuple[bytes, str]:
    return b"", TOO_LARGE
