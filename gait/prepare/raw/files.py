"""Looks through a raw tree: every file once, nothing outside it, nothing skipped uncounted."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from unicodedata import category

from gait.errors import DataError
from gait.files import confined
from gait.formats.catalogue import RowKind
from gait.formats.source import RESERVED_NAME, is_reserved
from gait.prepare.raw.unused import Unused

VIDEOS = frozenset({".avi", ".mp4", ".mkv", ".mov", ".webm"})

# What the name of a pose file has in the place of its video's suffix.
POSES = ".pose.npz"

_SYSTEM = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "__macosx",
        "lost+found",
        "$recycle.bin",
        "system volume information",
    }
)

# Folders of links to folders of links may be more than there are atoms, and hold next to nothing.
_MOST_VISITS = 16


class FileState(NamedTuple):
    """A file as it lies there; size in bytes, modification time in nanoseconds."""

    name: str
    size: int
    mtime_ns: int


class Folder(NamedTuple):
    """A folder's own content.

    Attributes:
        parts: the names that lead from the raw folder here; empty for the raw folder.
        files: sorted by name; `state_of` tells more of those that matter.
        has_folders: whether there are folders inside.
    """

    parts: tuple[str, ...]
    files: list[os.DirEntry[str]]
    has_folders: bool

    @property
    def path(self) -> str:
        """The path below the raw folder; empty for that one."""
        return "/".join(self.parts)

    def path_of(self, name: str) -> str:
        """The path below the raw folder of a file in this folder."""
        return "/".join((*self.parts, name))


def is_system(name: str) -> bool:
    """Whether a desktop or an archiver made it beside the data: .DS_Store, ._x, Thumbs.db, ..."""
    return name.startswith(".") or name.lower() in _SYSTEM


def is_text(name: str) -> bool:
    """Whether a name can be written to a table, which a few old file systems' names cannot."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unfit_name(name: str) -> str:
    """Why files and folders of this name are not used; empty when they may be.

    A line break in a name would make two lines of one, on the screen and in tables of others.
    """
    if name.isprintable():
        return ""
    if not is_text(name):
        return "name that is not UTF-8"
    is_control = any(category(sign) in {"Cc", "Zl", "Zp"} for sign in name)
    return "name with a control character, such as a line break" if is_control else ""


def is_frame(name: str, kind: RowKind = RowKind.IMAGES) -> bool:
    """Whether a file in the folder of a sequence of some kind is one of its frames.

    Some datasets lay a gait energy image named `..gei.png` beside the frames; it is none of them.
    """
    return suffix_of(name) in kind.suffixes and not name.endswith("gei.png")


def frames_among(files: Mapping[str, int], kind: RowKind) -> int:
    """Count the frames in a folder of some kind, given its number of files by suffix."""
    return sum(number for suffix, number in files.items() if suffix in kind.suffixes)


def suffix_of(name: str) -> str:
    """The suffix in lower case, with its dot; empty where there is none."""
    stem, dot, suffix = name.rpartition(".")
    return dot + suffix.lower() if stem else ""


def not_looked_for(name: str) -> str:
    """The reason by which a file of a foreign name is counted."""
    suffix = suffix_of(name)
    is_type = suffix[1:].isalnum() and not suffix[1:].isdigit() and len(suffix) < 6
    return f"other {suffix} file" if is_type else "other file"


def walk(raw: Path, unused: Unused | None = None) -> Iterator[Folder]:
    """Every folder from `raw` down, names in order; links are followed inside `raw` only.

    What the walk itself leaves out is added to `unused`.

    Raises:
        DataError: a folder cannot be listed.
    """
    unused = Unused() if unused is None else unused
    root = os.path.realpath(raw)
    visits: Counter[str] = Counter()
    pending = [_Place((), root, frozenset({root}), is_linked=False)]
    while pending:
        parts, path, above, is_linked = pending.pop()
        files: list[os.DirEntry[str]] = []
        folders: list[_Place] = []
        above_it = "/".join(parts)
        for entry in _entries(path):
            name = entry.name
            if is_system(name):
                unused.add(above_it, "system file")
            elif reason := unfit_name(name):
                unused.add(above_it, reason)
            elif is_reserved(name):
                unused.add(above_it, RESERVED_NAME)
            elif (is_link := entry.is_symlink()) and (reason := _refused(entry, root, above)):
                unused.add(above_it, reason)
            elif _is_file(entry):
                files.append(entry)
            elif not _is_folder(entry):
                unused.add(above_it, "neither file nor folder")
            else:
                real = os.path.realpath(entry.path) if is_link else entry.path
                visits[real] += is_link and is_linked
                if visits[real] > _MOST_VISITS:
                    unused.add(above_it, "link behind a link to a folder that many lead to")
                    continue
                below = (*parts, name)
                folders.append(_Place(below, real, above | {real}, is_link or is_linked))
        yield Folder(parts, files, bool(folders))
        pending += reversed(folders)


def state_of(entry: os.DirEntry[str]) -> FileState:
    """A file's size and modification time, asked of the disk.

    Raises:
        DataError: the file has just gone.
    """
    try:
        state = entry.stat()
    except OSError as error:
        raise DataError(
            f"{entry.path}: went while the folder was read ({error.strerror}); run again when "
            "nothing else changes it"
        ) from error
    return FileState(entry.name, state.st_size, state.st_mtime_ns)


def image_files(raw: Path, folder: Path, kind: RowKind = RowKind.IMAGES) -> list[Path]:
    """The frames of a sequence folder of some kind by name, without links that leave `raw`."""
    return [folder / entry.name for entry in frame_entries(raw, folder, kind)]


def frame_entries(
    raw: Path, folder: Path, kind: RowKind = RowKind.IMAGES
) -> list[os.DirEntry[str]]:
    """The same as entries of the folder.

    Raises:
        DataError: the folder cannot be listed.
    """
    root = os.path.realpath(raw)
    above = frozenset[str]()
    return [
        entry
        for entry in _entries(str(folder))
        if is_frame(entry.name, kind)
        and not is_system(entry.name)
        and not unfit_name(entry.name)
        and not is_reserved(entry.name)
        and _is_file(entry)
        and not (entry.is_symlink() and _refused(entry, root, above))
    ]


def matching(raw: Path, pattern: str) -> list[os.DirEntry[str]]:
    """The files of a pattern without fields, sorted by name; none where there is no such folder.

    Raises:
        DataError: the folder cannot be listed, or a path leads out of the raw folder.
    """
    folder, _, name = pattern.rpartition("/")
    path = confined(raw, folder)
    try:
        with os.scandir(path) as entries:
            found = [each for each in entries if fnmatchcase(each.name, name) and each.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(
            f"{path}: cannot be listed ({error.strerror}); make the folder readable"
        ) from None
    for entry in found:
        if entry.is_symlink():
            confined(raw, f"{folder}/{entry.name}")
    return sorted((each for each in found if not is_system(each.name)), key=attrgetter("name"))


def fingerprint(files: Iterable[FileState]) -> str:
    """Digest of names, sizes and modification times, 16 hexadecimal digits."""
    lines = "".join(f"{name}\0{size}\0{mtime_ns}\n" for name, size, mtime_ns in files)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


class _Place(NamedTuple):
    """A folder to walk through.

    Attributes:
        parts: the names that lead from the raw folder here.
        path: where it really lies.
        above: the folders that lead here, each where it really lies, and itself.
        is_linked: whether one of them was reached by a link.
    """

    parts: tuple[str, ...]
    path: str
    above: frozenset[str]
    is_linked: bool


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is an ordinary file, or a link to one; what the disk does not tell is none."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return sorted(found, key=attrgetter("name"))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be listed ({error.strerror}); make the folder readable"
        ) from error


def _refused(entry: os.DirEntry[str], root: str, above: frozenset[str]) -> str:
    """Why a link is not followed; empty when it may be."""
    target = os.path.realpath(entry.path)
    if target != root and not target.startswith(root + os.sep):
        return "link that leaves the raw folder (link the raw folder itself instead)"
    if not os.path.exists(target):  # noqa: PTH110
        return "link to nothing"
    return "link back to a folder above it" if target in above else ""
