"""Tar files spoilt by the fields of their headers, with checksums that fit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from random import Random

from tests.fuzz.mutators import PATHS, TEXTS, a_number, mutate_bytes, times

_BLOCK = 512
# Offset and size of each field.
_FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "uid": (108, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "type": (156, 1),
    "link": (157, 100),
    "magic": (257, 8),
    "device": (329, 8),
    "prefix": (345, 155),
}
_TYPES = b"0\x001234567LKxgSVAMNX~\xff"
_RECORDS = (
    *(
        b"size=-1",
        b"size=" + b"9" * 30,
        b"size=1e3",
        b"size=",
        b"path=../../x",
        b"path=/x",
        b"path=",
    ),
    *(b"path=a\0b", b"path=\xff\xfe", b"hdrcharset=BINARY", b"hdrcharset=x", b"mtime=nan"),
    *(b"mtime=1e999", b"GNU.sparse.map=0,1,2", b"GNU.sparse.map=x", b"GNU.sparse.size=-5"),
    *(b"GNU.sparse.major=1", b"GNU.sparse.minor=0", b"GNU.sparse.realsize=99999999999"),
    *(b"GNU.sparse.numblocks=1000000000", b"GNU.sparse.name=x", b"uid=x", b"linkpath=/x", b"=x"),
    *(b"SCHILY.xattr.x=" + b"y" * 1000, b"comment=" + b"z" * 3000, b"noequals"),
)

Pair = tuple[bytes, bytes]


def tar_of(files: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """A sound tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def mutate_tar(random: Random, data: bytes) -> bytes:
    """Spoil a tar file that is not compressed."""
    if random.random() < 0.1:
        return mutate_bytes(random, data)
    try:
        members, end = _members(data)
    except ValueError:
        # It has been spoilt before.
        return mutate_bytes(random, data)
    for _ in range(times(random)):
        _spoil(random, members)
    if random.random() < 0.1:
        end = random.choice((b"", bytes(_BLOCK), bytes(100), b"x" * 1024, end * 3))
    return b"".join(head + body for head, body in members) + end


def mutate_compressed(random: Random, data: bytes) -> bytes:
    """Spoil a gzip, xz or bz2 file: what is in it, its beginning, or its end."""
    if random.random() < 0.3:
        return _wrapping(random, data)
    return _compressed(random, mutate_tar(random, decompressed(data)))


def decompressed(data: bytes) -> bytes:
    """What a sound compressed file holds."""
    for magic, unpack in (
        (b"\x1f\x8b", gzip.decompress),
        (b"\xfd7zXZ", lzma.decompress),
        (b"BZh", bz2.decompress),
    ):
        if data.startswith(magic):
            return unpack(data)
    return data


def _wrapping(random: Random, data: bytes) -> bytes:
    match random.randrange(6):
        case 0:
            return mutate_bytes(random, data)
        case 1:
            return data[:-8] + random.randbytes(8)
        case 2:
            return data + random.choice((b"\0" * 9, b"\x1f\x8b", data, b"junk"))
        case 3:
            # Flags of a gzip header: a name, a comment, further fields, which never end.
            return data[:3] + bytes([random.choice((4, 8, 16, 2, 31, 224))]) + data[4:]
        case 4:
            return data[:10] + mutate_bytes(random, data[10:])
        case _:
            return data[: random.randrange(len(data))]


def _compressed(random: Random, data: bytes) -> bytes:
    match random.randrange(8):
        case 0:
            return lzma.compress(data)
        case 1:
            return bz2.compress(data)
        case 2:
            return lzma.compress(data, format=lzma.FORMAT_ALONE)
        case 3:
            half = len(data) // 2
            return gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0)
        case _:
            return gzip.compress(data, mtime=0)


def _members(data: bytes) -> tuple[list[Pair], bytes]:
    """Each header with the blocks behind it, and the blocks that end a file."""
    members, place = [], 0
    while place + _BLOCK <= len(data) and any(data[place : place + _BLOCK]):
        head = data[place : place + _BLOCK]
        size = int(head[124:135].strip(b"\0 ") or b"0", 8)
        end = place + _BLOCK + -(-size // _BLOCK) * _BLOCK
        members.append((head, data[place + _BLOCK : end]))
        place = end
    return members, data[place:]


def _spoil(random: Random, members: list[Pair]) -> None:
    if not members:
        return
    place = random.randrange(len(members))
    head, body = members[place]
    match random.randrange(10):
        case 0:
            members[place] = mutate_bytes(random, head)[:_BLOCK].ljust(_BLOCK, b"\0"), body
        case 1:
            members.insert(place, members[random.randrange(len(members))])
        case 2:
            del members[place]
        case 3:
            members[place] = head, mutate_bytes(random, body)
        case 4:
            members.insert(place, _long_name(random))
        case 5:
            members.insert(place, _records(random))
        case 6:
            members[place] = head, body[: random.randrange(len(body) + 1)]
        case _:
            members[place] = _with_field(random, head), body


def _with_field(random: Random, head: bytes) -> bytes:
    name = random.choice(("size", "size", "type", "name", "prefix", *_FIELDS))
    start, size = _FIELDS[name]
    if name == "type":
        value = bytes([random.choice(_TYPES)])
    elif name in ("name", "link", "prefix"):
        value = random.choice((*PATHS, *TEXTS)).encode("utf-8", "replace")
        if random.random() < 0.3:
            value = mutate_bytes(random, head[start : start + size])
    else:
        value = _number_field(random, size)
    return summed(head[:start] + value[:size].ljust(size, b"\0") + head[start + size :])


def _number_field(random: Random, size: int) -> bytes:
    """A number in octal digits, in base 256 with a sign, or none at all."""
    number = a_number(random)
    match random.randrange(4):
        case 0:
            return random.choice(
                (b"", b" ", b"-1", b"9", b"0x1", b"\xff" * size, b"7" * size, b"1 2")
            )
        case 1:
            width = 8 * (size - 1)
            sign = b"\xff" if number < 0 else b"\x80"
            return sign + (number % 2**width).to_bytes(size - 1, "big")
        case _:
            return b"%o" % (abs(number) % 8 ** (size - 1))


def summed(head: bytes) -> bytes:
    """A header with the checksum that it should have."""
    blank = head[:148] + b" " * 8 + head[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def _header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _long_name(random: Random) -> Pair:
    name = random.choice(PATHS).encode() + b"\0"
    claimed = random.choice((len(name), len(name), 0, 2**31, 3 * 2**30, 2**40))
    return _header(random.choice((b"L", b"K")), claimed), _padded(name)


def _records(random: Random) -> Pair:
    """An extended header, for the next member or for all."""
    told = b""
    for _ in range(times(random)):
        record = b" " + random.choice(_RECORDS) + b"\n"
        size = len(record) + len(str(len(record) + 1))
        told += b"%d" % random.choice((size, size, size, size, 0, 1, 10**9)) + record
    claimed = random.choice((len(told), len(told), len(told), 0, 1, 2**31, 3 * 2**30))
    return _header(random.choice((b"x", b"x", b"g", b"X")), claimed), _padded(told)


def crc_of(data: bytes) -> bytes:
    """The checksum that ends a gzip file, before its size."""
    return zlib.crc32(data).to_bytes(4, "little")
