"""Encrypted archives that are the same each time, as no salt is drawn."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

from tests.fuzz.zips import Entry, entries_of, entry_of, written


def aes_zip_of(files: dict[str, bytes], password: str) -> bytes:
    """A zip file encrypted by AES."""
    import pyzipper

    out = io.BytesIO()
    source = SimpleNamespace(new=lambda: SimpleNamespace(read=_steadily))
    with (
        mock.patch("pyzipper.zipfile_aes.Random", source),
        pyzipper.AESZipFile(
            out, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
        ) as archive,
    ):
        archive.setpassword(password.encode())
        for name, data in files.items():
            archive.writestr(name, data)
    return written(entries_of(out.getvalue()))


def crypto_zip_of(files: dict[str, bytes], password: str) -> bytes:
    """A zip file encrypted as PKZIP did it at first."""
    return written(
        [
            _encrypted(entry_of(name.encode(), data), password.encode())
            for name, data in files.items()
        ]
    )


@contextmanager
def unsalted_sevens() -> Iterator[None]:
    """Makes 7z files that are written in the block the same each time."""
    with mock.patch("py7zr.compressor.get_random_bytes", _steadily):
        yield


def _steadily(number: int) -> bytes:
    return bytes(range(number))


def _encrypted(entry: Entry, password: bytes) -> Entry:
    keys = [0x12345678, 0x23456789, 0x34567890]
    for each in password:
        _advance(keys, each)
    body = bytearray()
    for each in bytes(11) + bytes([entry.crc >> 24]) + entry.body:
        factor = keys[2] | 2
        body.append(each ^ (factor * (factor ^ 1) >> 8 & 255))
        _advance(keys, each)
    return replace(entry, body=bytes(body), flags=entry.flags | 1)


def _advance(keys: list[int], byte: int) -> None:
    keys[0] = _step(keys[0], byte)
    keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) % 2**32
    keys[2] = _step(keys[2], keys[1] >> 24)


def _step(crc: int, byte: int) -> int:
    return crc >> 8 ^ _TABLE[(crc ^ byte) & 255]


def _entry(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (0xEDB88320 if number & 1 else 0)
    return number


_TABLE = [_entry(each) for each in range(256)]
