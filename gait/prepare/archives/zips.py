"""Walks through zip files, also encrypted ones."""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, cast

from gait.errors import MissingExtraError
from gait.prepare.archives.part import DAMAGED, Inner, Member, Part
from gait.prepare.archives.passwords import password_of, wrong_password
from gait.prepare.archives.tars import DAMAGE

# Of content that is corrupt, encrypted or of an unknown method.
_DAMAGE = (*DAMAGE, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)

# So much of a few members tells whether the password is right.
_TRIED_BYTES = 2**20
_TRIED_MEMBERS = 3

_IS_ENCRYPTED = 1
# The older encryption is decrypted byte by byte: so much takes seven minutes.
_LONG_BYTES = 2**30

# The method that stands for encryption by AES, which the standard library does not know.
_AES = 99


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
        archive = zipfile.ZipFile(raw)
    except _DAMAGE as error:
        part.damaged(error)
        return
    damage: tuple[type[Exception], ...] = _DAMAGE
    if any(info.flag_bits & _IS_ENCRYPTED for info in archive.infolist()):
        archive, damage = _decrypted(archive, part, raw)
    for info in sorted(archive.infolist(), key=lambda each: each.header_offset):
        # The upper half of the attributes is a Unix mode where the archiver gave one.
        is_link = (info.external_attr >> 28) == 0o12
        is_file = not info.is_dir() and not is_link
        read = partial(_read, archive, info, damage)
        found = part.take(info.filename, info.file_size, info.is_dir(), is_file, read)
        if isinstance(found, Member):
            yield found
        elif found is not None:
            unpack = cast(Callable[[], IO[bytes]], partial(archive.open, info))
            yield Inner(found, info.file_size, unpack, damage)


def _read(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, damage: tuple[type[Exception], ...]
) -> tuple[bytes, str]:
    try:
        data = archive.read(info)
    except damage:
        return b"", DAMAGED
    return (data, "") if len(data) == info.file_size else (b"", DAMAGED)


def _decrypted(
    archive: zipfile.ZipFile, part: Part, raw: IO[bytes]
) -> tuple[zipfile.ZipFile, tuple[type[Exception], ...]]:
    """The archive as one that decrypts itself, and what reading it may raise."""
    password = password_of(part)
    damage: tuple[type[Exception], ...] = _DAMAGE
    if any(info.compress_type == _AES for info in archive.infolist()):
        try:
            import pyzipper
        except ImportError:
            raise MissingExtraError(f"{part}, encrypted by AES,", "archives") from None
        archive = cast(zipfile.ZipFile, pyzipper.AESZipFile(raw))
        damage = (*damage, pyzipper.BadZipFile)
    else:
        _warn_of_slowness(archive, part)
    archive.setpassword(password.text.encode())
    # A damaged member does not speak against the password.
    encrypted = [info for info in archive.infolist() if info.flag_bits & _IS_ENCRYPTED]
    tried = sorted(encrypted, key=lambda info: info.file_size)[:_TRIED_MEMBERS]
    if not any(_decrypts(archive, info, damage) for info in tried):
        raise wrong_password(part, password)
    return archive, damage


def _warn_of_slowness(archive: zipfile.ZipFile, part: Part) -> None:
    size = sum(each.compress_size for each in archive.infolist() if each.flag_bits & _IS_ENCRYPTED)
    if size > _LONG_BYTES:
        print(
            f"{part}: decrypting its {size / 2**30:.0f} GiB takes {7 * size / 2**30 / 60:.1f} "
            "hours or so each time that it is looked through; unpack it by another program, such "
            "as unzip, and leave what was in it there instead, as archives",
            file=sys.stderr,
        )


def _decrypts(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, damage: tuple[type[Exception], ...]
) -> bool:
    try:
        with archive.open(info) as stream:
            stream.read(_TRIED_BYTES)
    except damage:
        return False
    return True
