"""Reads archives frame by frame, also damaged and nested ones, without unpacking them to disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from gait.errors import DataError
from gait.prepare.archives.part import SEPARATOR, Contents, Member, Part, Wanted
from gait.prepare.archives.walk import walk

__all__ = ["SEPARATOR", "Contents", "Member", "contents_of", "read_archive", "unpacked_path"]


def contents_of(path: Path) -> Contents:
    """Lists an archive and the archives inside it; damage is noted, not raised.

    Args:
        path: a .tar, .tar.gz, .tgz, .zip or .7z file; inside it may be further ones.

    Raises:
        DataError: the file is not there or may not be read, or it or one inside it is encrypted
            and the password is missing or wrong, or there is no room to read one inside it.
        MissingExtraError: it needs a library that is not installed.
    """
    contents = Contents()
    for _ in _members(Part(path, contents, Wanted(None))):
        pass
    return contents


def read_archive(path: Path, folders: Iterable[str]) -> Iterator[Member]:
    """The frames in some folders of an archive, in one pass through it.

    Args:
        path: as `contents_of` has it.
        folders: as `Contents.folders` names them; archives inside that hold none of them are
            passed over.

    Yields:
        Each frame in the order in which it is stored, to be read before the next one is asked for.

    Raises:
        DataError, MissingExtraError: as `contents_of`.
    """
    return _members(Part(path, Contents(), Wanted(folders)))


def unpacked_path(source: str) -> str:
    """Where a folder in an archive, `a/b.zip::c/d.tgz::e`, would be if all were unpacked in place.

    Here that is `a/c/e`.
    """
    *archives, folder = source.split(SEPARATOR)
    parents = [PurePosixPath(archive).parent for archive in archives]
    return str(PurePosixPath(*parents, folder))


def _members(part: Part) -> Iterator[Member]:
    try:
        raw = part.path.open("rb")
    except OSError as error:
        raise DataError(
            f"{part.path}: cannot be opened ({error.strerror}); make the archive readable"
        ) from error
    with raw:
        yield from walk(part, raw)
