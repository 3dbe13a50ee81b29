"""Opens 7z files, of which the library asks for more than it should and knows too much."""

from __future__ import annotations

import io
import re
import struct
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, cast

from gait.errors import MissingExtraError
from gait.limits import ARCHIVE_MEMBERS
from gait.prepare.raw.archives.part import Part, refusal
from gait.prepare.raw.archives.passwords import password_of, wrong_password

if TYPE_CHECKING:
    from py7zr import SevenZipFile
    from py7zr.io import WriterFactory

# So much of the file is read at a time. Of what the library decompresses with no bound of its
# own, a byte of Deflate becomes up to 1 KiB, and 4 bytes of Zstandard become up to 128 KiB.
_PIECE_BYTES = 2**16
_SMALL_PIECE_BYTES = 2**12
_ZSTANDARD = b"\x04\xf7\x11\x01"

# What a file begins with; from its end on, where the list of members begins and how long it is.
_START = struct.Struct("<12x2Q4x")

# Encryption, and the first byte of its properties, which tells the binary logarithm of how often
# the password is digested. 7-Zip writes 19, which takes half a second.
_CIPHER_ID = b"\x06\xf1\x07\x01"
_CIPHER = re.compile(re.escape(_CIPHER_ID) + b".(.)", re.DOTALL)
_MOST_CYCLES = 20

# Their libraries have been seen to crash, and are not known not to.
_REFUSED = {b"\x03\x04\x01": "PPMd", b"\x04\x01\x09": "Deflate64"}
# How a list of members begins that is compressed itself.
_PACKED_HEADER = b"\x17"

# So much of a member tells whether the password is right.
_TRIED_BYTES = 2**20


def opened(part: Part, raw: IO[bytes]) -> SevenZipFile:
    """The file with its password, if it needs one, which has been tried."""
    try:
        from py7zr import SevenZipFile, archiveinfo
        from py7zr.exceptions import PasswordRequired
    except ImportError:
        raise MissingExtraError(f"{part}, a 7z file,", "archives") from None
    # The library's own bound is for a machine with many gigabytes.
    archiveinfo.MAX_NUMFILES = ARCHIVE_MEMBERS.value
    most = part.growth.most
    pieces = _Pieces(raw)
    file = cast(IO[bytes], pieces)
    try:
        archive = SevenZipFile(file, max_extract_size=most)
        _refuse_coders(archive, pieces)
        if not archive.needs_password():
            return archive
    # The list of files may be encrypted as well.
    except PasswordRequired:
        pass
    password = password_of(part)
    pieces.seek(0)
    try:
        archive = SevenZipFile(file, password=password.text, max_extract_size=most)
        _refuse_coders(archive, pieces)
        filled = (each.filename for each in archive.files if each.uncompressed)
        if (first := next((name for name in filled if not refusal(name)), None)) is not None:
            with suppress(_EnoughError):
                extract(archive, {first}, _trying())
            archive.reset()
    except _RefusedError:
        raise
    # What a wrong password turns the content into makes the reader fail in any way.
    except Exception:
        raise wrong_password(part, password) from None
    return archive


def extract(archive: SevenZipFile, names: set[str], factory: WriterFactory) -> None:
    """Unpack the members of these names into what the factory makes for each."""
    # Nothing is written there; but the library looks where the names would lead on disk, and
    # in the working folder a link of such a name would have it refuse the file.
    with TemporaryDirectory() as nowhere:
        archive.extract(nowhere, targets=names, factory=factory)


class _Pieces(io.BufferedIOBase):
    """A file of which only the list of members is read in one go.

    Attributes:
        piece_bytes: how much of anything else is.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__()
        self._raw = raw
        raw.seek(0)
        offset, self._whole_bytes = _START.unpack(raw.read(_START.size).ljust(_START.size, b"\0"))
        self._whole_at = _START.size + offset
        self.piece_bytes = _SMALL_PIECE_BYTES
        raw.seek(0)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As of any file."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._raw.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, or some of them."""
        if size is not None and size == self._whole_bytes and self.tell() == self._whole_at:
            data = self._raw.read(size)
            for found in _CIPHER.finditer(data):
                _refuse_slow_key(found[1])
            for method in _REFUSED if data.startswith(_PACKED_HEADER) else ():
                if method in data:
                    _refuse_method(method)
            return data
        most = self.piece_bytes
        return self._raw.read(most if size is None or size < 0 else min(size, most))


class _RefusedError(OSError):
    """What it takes to read the file is not done."""


def _refuse_coders(archive: SevenZipFile, pieces: _Pieces) -> None:
    """Look at how members are compressed and encrypted, before any of them is unpacked."""
    methods = set()
    if archive.files and archive.header.main_streams:
        for folder in archive.header.main_streams.unpackinfo.folders:
            for coder in folder.coders:
                methods.add(coder["method"])
                _refuse_method(coder["method"])
                if coder["method"] == _CIPHER_ID:
                    _refuse_slow_key(coder.get("properties") or b"")
    if _ZSTANDARD not in methods:
        pieces.piece_bytes = _PIECE_BYTES


def _refuse_slow_key(properties: bytes) -> None:
    """Raise where deriving the key would take minutes."""
    if properties[:1] and properties[0] & 0x3F > _MOST_CYCLES:
        raise _RefusedError(f"its key takes 2^{properties[0] & 0x3F} steps to derive")


def _refuse_method(method: bytes) -> None:
    """Raise for methods whose libraries write to memory that is not theirs on damaged files."""
    if name := _REFUSED.get(method):
        raise _RefusedError(f"it is compressed by {name}; pack it again with LZMA2")


class _EnoughError(Exception):
    """So much could be unpacked that the password must be right."""


def _trying() -> WriterFactory:
    """What lets the library unpack the beginning of a member, and check a small one whole."""
    from py7zr.io import Py7zBytesIO, WriterFactory

    class Beginning(Py7zBytesIO):
        def write(self, s: bytes | bytearray) -> int:
            if self.size() + len(s) > _TRIED_BYTES:
                raise _EnoughError
            return super().write(s)

    class Beginnings(WriterFactory):
        def create(self, filename: str) -> Py7zBytesIO:
            return Beginning(filename, 2 * _TRIED_BYTES)

    return Beginnings()
