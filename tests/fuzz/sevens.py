"""7z files spoilt in their headers, whose checksums fit again."""

from __future__ import annotations

import io
import struct
import zlib
from random import Random

from tests.fuzz.ciphers import unsalted_sevens
from tests.fuzz.mutators import a_number, mutate_bytes, times

_START = 32
# What the parts of a header begin with.
_PROPERTIES = bytes(range(0x1A))


def seven_of(files: dict[str, bytes], password: str | None = None, is_plain: bool = True) -> bytes:
    """A sound 7z file; plain ones have a header that is not compressed."""
    from py7zr import SevenZipFile

    out = io.BytesIO()
    with unsalted_sevens(), SevenZipFile(out, "w", password=password) as archive:
        if is_plain:
            archive.set_encoded_header_mode(False)
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def mutate_seven(random: Random, data: bytes) -> bytes:
    """Spoil a 7z file: its header with both checksums made anew, or its content."""
    if random.random() < 0.12:
        return mutate_bytes(random, data)
    offset, size = struct.unpack_from("<QQ", data, 12)
    body, header = data[_START : _START + offset], bytearray(data[_START + offset :][:size])
    if random.random() < 0.15:
        body = mutate_bytes(random, body)
    else:
        for _ in range(times(random)):
            _spoil(random, header)
    told_offset, told_size = len(body), len(header)
    if random.random() < 0.08:
        told_offset = a_number(random) % 2**64
    if random.random() < 0.08:
        told_size = a_number(random) % 2**64
    next_header = struct.pack("<QQI", told_offset, told_size, zlib.crc32(bytes(header)))
    start = data[:8] + struct.pack("<I", zlib.crc32(next_header)) + next_header
    return start + body + bytes(header)


def _spoil(random: Random, header: bytearray) -> None:
    place = random.randrange(len(header) + 1)
    match random.randrange(7):
        case 0 if place < len(header):
            header[place] = random.choice(_PROPERTIES)
        case 1:
            header[place : place + 1] = as_number(a_number(random) % 2**64)
        case 2:
            header[place:place] = as_number(a_number(random) % 2**64)
        case 3:
            del header[place : place + random.choice((1, 1, 2, 8))]
        case 4:
            header[place:place] = header[place : place + random.choice((1, 4, 32))]
        case 5:
            header[:] = header[: max(place, 1)]
        case _:
            header[:] = mutate_bytes(random, bytes(header))


def as_number(number: int) -> bytes:
    """A number in the varying length that 7z has."""
    for extra in range(8):
        if number < 2 ** (7 * (extra + 1)):
            mask = 0xFF & ~(0xFF >> extra)
            first = mask | number >> (8 * extra)
            return bytes([first]) + (number % 2 ** (8 * extra)).to_bytes(extra, "little")
    return b"\xff" + number.to_bytes(8, "little")
