"""Zip files spoilt field by field, in the list at the end and before each member alike."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

from tests.fuzz.mutators import PATHS, TEXTS, Mutate, a_number, mutate_bytes, packed, times

_LOCAL = "<4s5H3I2H"
_CENTRAL = "<4s6H3I5H2I"
_END = "<4s4H2IH"
_ENCODINGS = ("utf-8", "cp437", "latin-1", "utf-16")
_EXTRAS = (
    *(
        b"",
        b"\x01",
        b"\x01\x00\xff\xff",
        b"\x01\x00\x00\x00",
        b"\x01\x99\x07\x00\x02\x00AE\x03\x08\x00",
    ),
    *(
        b"\x01\x99\x07\x00\x01\x00AE\x00\x00\x00",
        b"\x01\x99\x03\x00\x02\x00A",
        b"\x01\x99\x00\x00",
    ),
    b"\x01\x00\x18\x00" + b"\xff" * 24,
    b"\x01\x00\x18\x00" + struct.pack("<3Q", 2**40, 10, 2**40),
    b"up\x09\x00\x01\x00\x00\x00\x00abcd",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as it is written; what differs in the list at the end is in `listed`."""

    name: bytes
    body: bytes
    method: int
    crc: int
    size: int
    flags: int = 0
    extra: bytes = b""
    attributes: int = 0
    claimed: int | None = None
    version: int = 20
    listed: dict[str, int] = field(default_factory=dict)


def entry_of(name: bytes, data: bytes, method: int = zipfile.ZIP_STORED) -> Entry:
    """A sound member."""
    body = data
    if method == zipfile.ZIP_DEFLATED:
        body = zlib.compress(data, 6, -15)
    return Entry(name, body, method, zlib.crc32(data), len(data))


def entries_of(data: bytes) -> list[Entry]:
    """The members of a sound zip file, as they are stored."""
    entries = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            at = info.header_offset
            name, extra = struct.unpack_from("<HH", data, at + 26)
            start = at + 30 + name + extra
            entries.append(
                Entry(
                    data[at + 30 : at + 30 + name],
                    data[start : start + info.compress_size],
                    info.compress_type,
                    info.CRC,
                    info.file_size,
                    info.flag_bits & ~8,
                    data[at + 30 + name : start] if info.compress_type == 99 else b"",
                    info.external_attr,
                )
            )
    return entries


def written(entries: list[Entry], comment: bytes = b"", random: Random | None = None) -> bytes:
    """A zip file of these members; with `random`, its end is not quite right."""
    out, listed = io.BytesIO(), io.BytesIO()
    for each in entries:
        start = out.tell()
        claimed = len(each.body) if each.claimed is None else each.claimed
        fields = (each.method, 0, 0x21, each.crc, claimed % 2**32, each.size % 2**32)
        out.write(
            struct.pack(
                _LOCAL,
                b"PK\3\4",
                each.version,
                each.flags,
                *fields,
                len(each.name),
                len(each.extra),
            )
        )
        out.write(each.name + each.extra + each.body)
        changed = {
            "flags": each.flags,
            "method": each.method,
            "crc": each.crc,
            "claimed": claimed,
            "size": each.size,
            "start": start,
        } | each.listed
        listed.write(
            struct.pack(
                _CENTRAL,
                b"PK\1\2",
                (3 << 8) + each.version,
                each.version,
                changed["flags"] % 2**16,
                changed["method"] % 2**16,
                0,
                0x21,
                changed["crc"] % 2**32,
                changed["claimed"] % 2**32,
                changed["size"] % 2**32,
                len(each.name),
                len(each.extra),
                *(0, 0, 0, each.attributes, changed["start"] % 2**32),
            )
        )
        listed.write(each.name + each.extra)
    place, size = out.tell(), listed.tell()
    count = len(entries)
    end = [0, 0, count, count, size, place, len(comment)]
    if random is not None:
        which = random.randrange(len(end))
        end[which] = a_number(random) % 2 ** (32 if which in (4, 5) else 16)
    return out.getvalue() + listed.getvalue() + struct.pack(_END, b"PK\5\6", *end) + comment


def zip_mutator(mutate_member: Mutate) -> Mutate:
    """Spoils zip files; what is in their members is spoilt by `mutate_member`, soundly stored."""

    def mutate(random: Random, data: bytes) -> bytes:
        if random.random() < 0.1:
            return mutate_bytes(random, data)
        try:
            entries = entries_of(data)
        except (struct.error, zipfile.BadZipFile, NotImplementedError, OSError):
            # It has been spoilt before.
            return mutate_bytes(random, data)
        if not entries:
            return mutate_bytes(random, data)
        is_inside = random.random() < 0.6
        for _ in range(times(random)):
            place = random.randrange(len(entries))
            if is_inside:
                entries[place] = _with_content(random, entries[place], mutate_member)
            else:
                _spoil(random, entries, place)
            if not entries:
                break
        comment = random.choice((b"", b"", b"", b"x" * 65535, b"gait-sha256:" + b"0" * 64))
        return written(entries, comment, random if random.random() < 0.05 else None)

    return mutate


def content_of(entry: Entry) -> bytes:
    """What a sound member holds, by the methods that good files use."""
    if entry.method == zipfile.ZIP_DEFLATED:
        return zlib.decompress(entry.body, -15)
    return entry.body


def _with_content(random: Random, entry: Entry, mutate_member: Mutate) -> Entry:
    if entry.flags & 1 or entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return replace(entry, body=mutate_bytes(random, entry.body))
    try:
        data = mutate_member(random, content_of(entry))
    except zlib.error:
        return entry
    new = entry_of(entry.name, data, entry.method)
    return replace(new, flags=entry.flags, attributes=entry.attributes)


def _spoil(random: Random, entries: list[Entry], place: int) -> None:
    entry = entries[place]
    spoilers: tuple[Callable[[], Entry | None], ...] = (
        lambda: replace(entry, name=_name(random, entry.name)),
        lambda: replace(entry, body=mutate_bytes(random, entry.body)),
        lambda: replace(entry, crc=entry.crc ^ 1 << random.randrange(32)),
        lambda: replace(entry, size=a_number(random) % 2**32),
        lambda: replace(entry, claimed=a_number(random) % 2**32),
        lambda: replace(entry, method=random.choice((0, 8, 12, 14, 9, 93, 95, 98, 99, 1))),
        lambda: replace(entry, flags=random.choice((1, 8, 9, 0x40, 0x41, 0x800, 0x2000, 0xFFFF))),
        lambda: replace(entry, extra=random.choice(_EXTRAS)),
        lambda: replace(entry, attributes=random.choice((0o120777, 0o40755, 0o20666, 0)) << 16),
        lambda: replace(entry, version=random.choice((0, 20, 45, 51, 63, 255))),
        lambda: _listed_otherwise(random, entry),
        lambda: _bomb(random, entry) if random.random() < 0.3 else None,
        lambda: entries.append(entry),
        lambda: entries.append(replace(entry, name=_name(random, entry.name))),
        lambda: entries.remove(entry),
    )
    made = random.choice(spoilers)()
    if made is not None:
        entries[place] = made


def _listed_otherwise(random: Random, entry: Entry) -> Entry:
    key = random.choice(("flags", "method", "crc", "claimed", "size", "start"))
    return replace(entry, listed={key: a_number(random)})


def _bomb(random: Random, entry: Entry) -> Entry:
    """A member of many zeros, told or not."""
    size = random.choice((2**24, 2**26 + 1, 2**27))
    told = random.choice((size, entry.size, 10, 2**31))
    return replace(entry, body=_zeros(size), method=8, size=told, crc=_crc_of_zeros(size))


@cache
def _crc_of_zeros(size: int) -> int:
    return zlib.crc32(bytes(size))


@cache
def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9, -15)


def _name(random: Random, name: bytes) -> bytes:
    draw = random.randrange(6)
    if draw == 0:
        return mutate_bytes(random, name)[:60000]
    if draw == 1:
        return random.choice(PATHS).encode()
    if draw == 2:
        return name.replace(b"/", b"\\")
    if draw == 3:
        return name + b"/"
    if draw == 4:
        return name + random.choice(TEXTS).encode(random.choice(_ENCODINGS), "replace")[:60000]
    return random.choice((b"", b"/", b"\xff\xfe.png", b"a\0b.png", b"a\r\n.png", b"inner.zip"))


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A sound zip file."""
    return written([entry_of(name.encode(), data, method) for name, data in files.items()])


def spoilt_fields(random: Random, data: bytes, form: str, place: int) -> bytes:
    """Bytes with another number at a place."""
    number = packed(random, form)
    return data[:place] + number + data[place + len(number) :]
