"""Reads archives frame by frame, also damaged and nested ones, without unpacking them to disk."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from gait.errors import DataError
from gait.prepare.raw.archives.part import (
    NO_IMAGE,
    READ,
    Contents,
    Growth,
    Member,
    NameFilter,
    Part,
    Wanted,
)
from gait.prepare.raw.archives.walk import walk_archive

__all__ = [
    "NO_IMAGE",
    "READ",
    "Contents",
    "Member",
    "NameFilter",
    "contents_of",
    "opened",
    "read_archive",
]


def contents_of(path: Path, patterns: Collection[str] = ()) -> Contents:
    """Lists an archive and the archives inside it; damage is noted, not raised.

    Args:
        path: a .tar, .tar.gz, .tgz, .zip or .7z file; inside it may be further ones.
        patterns: of file names, such as `*_2d_pose.txt`, whose matches are to be counted.

    Raises:
        DataError: the file is not there or may not be read, or it or one inside it is encrypted
            and the password is missing or wrong, or there is no room to read one inside it.
        MissingExtraError: it needs a library that is not installed.
    """
    contents = Contents()
    with _opened(path, contents, Wanted(None, patterns)) as members:
        for _ in members:
            pass
    return contents


def read_archive(path: Path, wanted: Mapping[str, NameFilter]) -> Iterator[Member]:
    """Some files in some folders of an archive, in one pass through it.

    Args:
        path: as `contents_of` has it.
        wanted: by folder, as `Contents.folders` names them, which names are wanted; archives
            inside that hold none of the folders are passed over.

    Yields:
        Each file in the order in which it is stored, to be read before the next one is asked for.

    Raises:
        DataError, MissingExtraError: as `contents_of`.
    """
    with opened(path, wanted) as members:
        yield from members


@contextmanager
def opened(
    path: Path, wanted: Mapping[str, NameFilter], contents: Contents | None = None
) -> Iterator[Iterator[Member]]:
    """The same as `read_archive` gives. Files right in a zip file may be read, in any order, as
    long as the block lasts. What is damaged is noted in `contents`."""
    contents = Contents() if contents is None else contents
    with _opened(path, contents, Wanted(wanted)) as members:
        yield members


@contextmanager
def _opened(path: Path, contents: Contents, wanted: Wanted) -> Iterator[Iterator[Member]]:
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: expected an archive, got no ordinary file; move it away")
    try:
        raw = path.open("rb")
        growth = Growth(os.fstat(raw.fileno()).st_size)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened ({error.strerror}); make the archive readable"
        ) from error
    part = Part(path, contents, wanted, growth)
    with raw, closing(walk_archive(part, raw)) as members:
        yield members
