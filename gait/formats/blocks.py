"""Large files that are mapped, checked block by block when a block is first read.

A table `digests.npz` beside them holds, for each file, its size and the CRC-32 of each block. One
flipped bit, a run of damaged bytes, a block in the place of another and a file of another size are
noticed. Checking all at once would take longer than training takes to begin.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.arrays import mapped, read_members, refusing, view
from gait.formats.seal import check_zip_seal, seal_zip

DIGESTS = "digests.npz"
# Some frames of one sequence: smaller ones cost calls, larger ones read what nobody asked for.
BLOCK_BYTES = 1 << 16

Digests = Mapping[str, NDArray[np.uint64]]


def write_digests(target: Path, files: Mapping[str, Path]) -> None:
    """Write the table of some files, which are read once.

    Args:
        target: the table; a temporary name beside `digests.npz`, or that itself.
        files: by the name that each is going to have.

    Raises:
        OSError: a file cannot be read, or the table not be written.
    """
    digests: dict[str, Any] = {}
    for name, path in files.items():
        data = mapped(path)
        found = [_digest(data, start) for start in range(0, len(data), BLOCK_BYTES)]
        digests[name] = np.array([len(data), *found], np.uint64)
    np.savez(target, **digests)
    seal_zip(target)


def read_digests(folder: Path, remedy: str) -> Digests:
    """The table of the files in a folder.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / DIGESTS
    check_zip_seal(path, remedy)
    digests = read_members(path, "the digests of the files beside it", remedy)
    for each in digests.values():
        if each.dtype != np.uint64 or each.ndim != 1 or not len(each):
            raise DataError(f"{path}: expected the digests of the files beside it; {remedy}")
    return digests


class Blocks:
    """The bytes of one file.

    Args:
        path: the file.
        digests: of the files in its folder.
        remedy: how to make it again.

    Raises:
        DataError: the file is missing, is not in the table, or has another size.
    """

    def __init__(self, path: Path, digests: Digests, remedy: str) -> None:
        self._path = path
        self._remedy = remedy
        with refusing(path, "an array", remedy):
            self._data = mapped(path)
        if path.name not in digests:
            raise DataError(f"{path}: is not listed in {DIGESTS} beside it; {remedy}")
        size, self._stated = int(digests[path.name][0]), digests[path.name][1:]
        count = -(-len(self._data) // BLOCK_BYTES)
        if len(self._data) != size or len(self._stated) != count:
            raise DataError(
                f"{path}: holds {len(self._data):,} bytes, expected {size:,}: it is torn; {remedy}"
            )
        self._unread = bytearray(b"\1" * count)

    def check(self, start: int, stop: int) -> None:
        """Check the blocks of some bytes, as far as they have not been checked before.

        Raises:
            DataError: a block is damaged.
        """
        last = -(-stop // BLOCK_BYTES)
        block = start // BLOCK_BYTES
        while (block := self._unread.find(1, block, last)) >= 0:
            if _digest(self._data, block * BLOCK_BYTES) != self._stated[block]:
                raise DataError(
                    f"{self._path}: is damaged near byte {block * BLOCK_BYTES:,}: it differs "
                    f"from its digest in {DIGESTS}; {self._remedy}"
                )
            self._unread[block] = 0

    def is_checked(self, start: int, stop: int) -> bool:
        """Whether all blocks of some bytes have been checked."""
        return self._unread.find(1, start // BLOCK_BYTES, -(-stop // BLOCK_BYTES)) < 0

    def check_all(self) -> None:
        """Check the whole file.

        Raises:
            DataError: a block is damaged.
        """
        self.check(0, len(self._data))

    def array(self) -> tuple[NDArray[Any], int]:
        """The array in the file, a map of it, and the first byte of its values.

        Raises:
            DataError: the file is damaged where it begins, or holds no such array.
        """
        self.check(0, min(1, len(self._data)))
        with refusing(self._path, "an array", self._remedy):
            array = view(self._data)
        return array, len(self._data) - array.nbytes


def _digest(data: NDArray[np.uint8], start: int) -> int:
    return zlib.crc32(data[start : start + BLOCK_BYTES].data)


def follow_each_other(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> bool:
    """Whether sequences take up frames from the first on, in any order, without gap or overlap.

    Args:
        starts: position of each sequence's first frame, [n].
        lengths: how many frames each has, [n].
    """
    if not len(starts) or lengths.min() < 1 or starts.min() < 0:
        return False
    order = np.argsort(starts)
    ends = (starts + lengths)[order]
    return bool(starts[order[0]] == 0 and np.all(ends[:-1] == starts[order[1:]]))
