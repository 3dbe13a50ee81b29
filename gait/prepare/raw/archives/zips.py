"""Walks through zip files, also encrypted ones."""

from __future__ import annotations

import io
import lzma
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

from gait.errors import MissingExtraError
from gait.prepare.raw.archives.index import AES, Entry, Index, content_start, index_of_one
from gait.prepare.raw.archives.part import (
    DAMAGED,
    TOO_LARGE,
    ExpansionError,
    Inner,
    Member,
    Part,
)
from gait.prepare.raw.archives.passwords import Password, password_of, wrong_password
from gait.prepare.raw.archives.zip_content import METHODS, PIECE_BYTES, Content

# Of content that is corrupt, cut short, or encrypted by another password.
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)

# What the libraries that decrypt raise besides, on a wrong password and on headers of a kind that
# they do not know.
_UNKNOWN_HEADER = (RuntimeError, ValueError, LookupError, struct.error)

OVERLAP = "archive member that shares its bytes with another one"
UNKNOWN = "archive member compressed as nothing here can read ({}); pack it again with Deflate"

# So much of a few members tells whether the password is right.
_TRIED_BYTES = 2**20
_TRIED_MEMBERS = 3

# The older encryption is decrypted byte by byte: so much takes seven minutes.
_LONG_BYTES = 2**30

_NAMES = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}

_REGULAR = 0o10

# What the older encryption puts before the content.
_OLD_HEADER_BYTES = 12


def walk_zip(part: Part, raw: IO[bytes]) -> Iterator[Member | Inner]:
    """The wanted files of a zip file, and the archives inside it.

    Args:
        part: what this file is part of.
        raw: its bytes, of a file that can be read anywhere.

    Raises:
        DataError: it is encrypted and the password is missing or wrong.
        MissingExtraError: it is encrypted by AES and the library for that is not installed.
    """
    try:
        index = Index(raw)
        password = _password(part, raw, index)
    except DAMAGE as error:
        part.damaged(error)
        return
    for entry, is_overlapping in index:
        kind = entry.mode >> 12
        is_folder = entry.name.endswith("/")
        is_file = not is_folder and kind in (0, _REGULAR)
        if is_overlapping and is_file:
            part.leave_out(OVERLAP)
        elif is_file and (entry.is_unknown or entry.hidden_method not in METHODS):
            method = entry.hidden_method
            part.leave_out(UNKNOWN.format(_NAMES.get(method, f"method {method}")))
        else:
            unpack = partial(_unpacked, part, raw, entry, password)
            read = partial(_read, unpack, entry.size)
            found = part.take(entry.name, entry.size, is_folder, is_file, read)
            if isinstance(found, Member):
                yield found
            elif found is not None:
                yield Inner(found, entry.size, partial(_buffered, unpack), DAMAGE)


def _unpacked(part: Part, raw: IO[bytes], entry: Entry, password: Password | None) -> Content:
    start = content_start(raw, entry)
    if not entry.is_encrypted or password is None:
        packed = _Stretch(raw, start, entry.packed).read
        return Content(packed, entry, part.growth)
    return _decrypted(part, raw, entry, start, password)


def _buffered(unpack: Callable[[], Content]) -> IO[bytes]:
    return io.BufferedReader(unpack(), PIECE_BYTES)


def _read(unpack: Callable[[], Content], size: int) -> tuple[bytes, str]:
    """The whole content of a member that is small enough for it."""
    try:
        content = unpack()
        data = content.piece(size)
        if len(data) < size:
            pieces = [data]
            while data := content.piece(size):
                pieces.append(data)
            data = b"".join(pieces)
    except ExpansionError:
        return b"", TOO_LARGE
    except DAMAGE:
        return b"", DAMAGED
    return data, ""


class _Stretch(io.RawIOBase):
    """Bytes of a file from one place on, and perhaps some more behind them.

    Args:
        raw: the file, which others read as well.
        start: where they begin.
        size: how many they are.
        more: further bytes.
    """

    def __init__(self, raw: IO[bytes], start: int, size: int, more: bytes = b"") -> None:
        super().__init__()
        self._raw = raw
        self._start = start
        self._size = size
        self._more = more
        self._at = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of any file."""
        origin = (0, self._at, self._size + len(self._more))[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        """As of any file."""
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """As of any file; of the two parts never more than what is left of the first."""
        left = self._size - self._at
        if left <= 0:
            data = self._more[-left:][: None if size < 0 else size]
        else:
            self._raw.seek(self._start + self._at)
            data = self._raw.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data


def _decrypted(
    part: Part, raw: IO[bytes], entry: Entry, start: int, password: Password
) -> Content:
    """The content of an encrypted member.

    The libraries decrypt members of a file that they have read the index of. So that neither its
    size nor another entry matters, they get a file of this member only; and what they decrypt is
    left compressed, as they would decompress without bound.
    """
    packed_end = start - entry.offset + entry.packed
    alone = _Stretch(raw, entry.offset, packed_end, index_of_one(entry, packed_end))
    library, opener = _library(part, is_aes=entry.method == AES)
    damage = (library.BadZipFile, *_UNKNOWN_HEADER)
    try:
        archive = opener(alone)
        archive.setpassword(password.text.encode())
        (info,) = archive.infolist()
        info.compress_type = zipfile.ZIP_STORED
        if entry.method == AES:
            if info.wz_aes_version is None:
                # Taken for one of the old encryption, it would be compared with its check sum.
                raise zipfile.BadZipFile("it does not say how it is encrypted")
            # The check sum is that of the content; what is decrypted has another check.
            del info.CRC
            left = info.compress_size
        else:
            # The check sum tells the password. It is compared at the end, which is not reached.
            left = info.compress_size - _OLD_HEADER_BYTES
            info.compress_size += 1
        info.file_size = info.compress_size
        stream = archive.open(info)
    except damage as error:
        raise zipfile.BadZipFile(str(error)) from None

    def packed(size: int) -> bytes:
        nonlocal left
        try:
            data: bytes = stream.read(min(size, left)) if left > 0 else b""
        except damage as error:
            raise zipfile.BadZipFile(str(error)) from None
        left -= len(data)
        return data

    return Content(packed, entry, part.growth, has_crc=entry.method != AES or entry.crc != 0)


def _library(part: Part, is_aes: bool) -> tuple[Any, Any]:
    """The library that decrypts such members, and its class of archives."""
    if not is_aes:
        return zipfile, zipfile.ZipFile
    try:
        import pyzipper
    except ImportError:
        raise MissingExtraError(f"{part}, encrypted by AES,", "archives") from None
    return pyzipper, pyzipper.AESZipFile


def _password(part: Part, raw: IO[bytes], index: Index) -> Password | None:
    """The password, which has been tried; None where none is needed.

    Raises:
        DataError: it is missing or wrong.
        MissingExtraError: as `walk_zip`.
    """
    if not index.is_encrypted:
        return None
    size = 0
    tried: list[Entry] = []
    is_aes = False
    for entry, is_overlapping in index:
        if entry.is_encrypted and not is_overlapping:
            is_aes = is_aes or entry.method == AES
            size += entry.packed
            tried = sorted([*tried, entry], key=lambda each: each.size)[:_TRIED_MEMBERS]
    password = password_of(part)
    if is_aes:
        _library(part, is_aes)
    elif size > _LONG_BYTES:
        _warn_of_slowness(part, size)
    # A damaged member does not speak against the password.
    if not any(_decrypts(part, raw, entry, password) for entry in tried):
        raise wrong_password(part, password)
    return password


def _warn_of_slowness(part: Part, size: int) -> None:
    print(
        f"{part}: decrypting its {size / 2**30:.0f} GiB takes {7 * size / 2**30 / 60:.1f} "
        "hours or so each time that it is looked through; unpack it by another program, such "
        "as unzip, and leave what was in it there instead, as archives",
        file=sys.stderr,
    )


def _decrypts(part: Part, raw: IO[bytes], entry: Entry, password: Password) -> bool:
    try:
        content = _unpacked(part, raw, entry, password)
        tried = 0
        while tried < _TRIED_BYTES and (data := content.piece(_TRIED_BYTES)):
            tried += len(data)
    except DAMAGE:
        return False
    return True
