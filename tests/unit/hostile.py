"""What an archive of any bytes gives, and how much memory that takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gait.prepare.raw.archives import Contents, contents_of, read_archive
from gait.prepare.raw.files import is_frame

FRAME = b"a frame" * 40
MEGABYTE = 2**20


@contextmanager
def below(most: int) -> Iterator[None]:
    """Fail when the block takes more memory at a time, in bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def read(path: Path, folder: str = "a/x") -> dict[str, tuple[bytes, str]]:
    """The images of a folder of an archive, each with its problem."""
    return {each.name: each.read() for each in read_archive(path, {folder: is_frame})}


def listed(tmp_path: Path, name: str, data: bytes | bytearray) -> Contents:
    """What is found in an archive of these bytes."""
    (tmp_path / name).write_bytes(data)
    return contents_of(tmp_path / name)
