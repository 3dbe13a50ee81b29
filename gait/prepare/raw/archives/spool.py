"""Holds an archive from inside another one where it can be read from its end."""

from __future__ import annotations

import io
import shutil
import tempfile
from typing import TYPE_CHECKING

from gait.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Spool(io.BufferedRandom):
    """A temporary file without a name, which the system removes whatever happens.

    A nested archive may rightly be large; one whose declared size exceeds the free space is
    refused.

    Args:
        title: whose bytes these are, for messages.
        size: how many bytes they are, as the archive around them tells it.

    Raises:
        DataError: there is no room for them, here and when writing.
    """

    def __init__(self, title: str, size: int) -> None:
        self._title = title
        self._room = size
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if size > free:
            raise self._full(f"{free / 2**20:.0f} MiB are free")
        super().__init__(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115

    def write(self, data: Buffer, /) -> int:
        """Appends bytes; more than were told are damage, an OSError."""
        written = len(memoryview(data))
        self._room -= written
        if self._room < 0:
            raise OSError("it is larger than the archive around it tells")
        try:
            super().write(data)
            self.flush()
        except OSError as error:
            # Closing would try once more to write what is left.
            self.raw.close()
            raise self._full(error.strerror or "it cannot be written") from error
        return written

    def _full(self, problem: str) -> DataError:
        return DataError(
            f"{self._title}: expected room for this archive in an archive in "
            f"{tempfile.gettempdir()}, where {problem}; set TMPDIR to a folder with more room, or "
            "unpack it"
        )
