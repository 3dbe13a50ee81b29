"""Buffers archive members until their sequence is complete; what is too much goes to disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from gait.errors import DataError

# Of files beyond this, compressed as they are, the rest waits on the disk.
MEMORY_BYTES = 256 * 2**20

# The bytes of a file, and what is wrong with it if anything is.
Read = tuple[bytes, str]


class LazyFiles(Mapping[str, Read]):
    """Files by name, in the order of the names; each is read when it is looked up.

    So no more than one of a sequence's files is in memory, however large they are.

    Args:
        readers: what reads each.
    """

    def __init__(self, readers: Mapping[str, Callable[[], Read]]) -> None:
        self._readers = {name: readers[name] for name in sorted(readers)}

    def __getitem__(self, name: str) -> Read:
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


class _Place(NamedTuple):
    """Where bytes lie in the file on the disk."""

    offset: int
    size: int


class SpillBuffer:
    """Files by folder, in memory as far as they are few.

    More of them lie in a temporary file without a name, which the system removes whatever happens.

    Args:
        root: a folder on a disk with room for them; None for the system's own.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._folders: dict[str, dict[str, tuple[bytes | _Place, str]]] = {}
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._end = 0

    def put(self, folder: str, name: str, read: Read) -> None:
        """Hold a file, in the place of one of that name.

        Raises:
            DataError: the disk is full.
        """
        data, problem = read
        files = self._folders.setdefault(folder, {})
        self._forget(files.pop(name, (b"", "")))
        if self._bytes + len(data) > MEMORY_BYTES:
            files[name] = self._laid_down(data), problem
        else:
            self._bytes += len(data)
            files[name] = data, problem

    def get(self, folder: str, names: Callable[[str], bool]) -> LazyFiles:
        """Those files of a folder whose name is wanted; they can be read until this is closed."""
        held = self._folders.get(folder, {})
        return LazyFiles({name: partial(self._read, *held[name]) for name in held if names(name)})

    def drop(self, folder: str) -> None:
        """Hold a folder's files no longer."""
        for each in self._folders.pop(folder, {}).values():
            self._forget(each)

    def close(self) -> None:
        """Give up what lies on the disk."""
        if self._file is not None:
            self._file.close()

    def _forget(self, held: tuple[bytes | _Place, str]) -> None:
        if isinstance(held[0], bytes):
            self._bytes -= len(held[0])

    def _laid_down(self, data: bytes) -> _Place:
        place = _Place(self._end, len(data))
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._root)  # noqa: SIM115
            self._file.seek(place.offset)
            self._file.write(data)
        except OSError as error:
            raise DataError(
                f"{self._root or tempfile.gettempdir()}: files out of an archive cannot wait "
                f"there for the rest of their sequences ({error.strerror}); free space on that "
                "disk, then run again"
            ) from error
        self._end += len(data)
        return place

    def _read(self, what: bytes | _Place, problem: str) -> Read:
        if isinstance(what, bytes):
            return what, problem
        assert self._file is not None
        self._file.seek(what.offset)
        return self._file.read(what.size), problem
