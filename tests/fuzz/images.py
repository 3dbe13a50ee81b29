"""Images and videos spoilt by their chunks, segments and boxes, with checksums that fit."""

from __future__ import annotations

import re
import struct
import zlib
from random import Random

from tests.fuzz.mutators import OUTSIDE, Mutate, a_number, mutate_bytes, packed, times
from tests.fuzz.zips import spoilt_fields

_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = (b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"gAMA", b"iCCP", b"zTXt", b"acTL", b"eXIf")
_SIZES = (
    0,
    1,
    2,
    63,
    64,
    1000,
    8192,
    8193,
    16384,
    30000,
    65535,
    65536,
    2**20,
    2**31 - 1,
    2**32 - 1,
)
_BOXES = (
    *(b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr"),
    *(b"minf", b"vmhd", b"dinf", b"stbl", b"stsd", b"stts", b"stsc", b"stsz", b"stco", b"mdat"),
    *(b"mp4v", b"esds", b"free"),
)
PLAYLISTS = tuple(
    text.encode()
    for text in (
        "ffconcat version 1.0\nfile {}\nfile {}\n",
        "ffconcat version 1.0\n" + "file '{}'\nduration 0.04\n" * 3,
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:1,\nfile:{}\n#EXTINF:1,\nconcat:{}|{}\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.1:9/{}\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        '<?xml version="1.0"?><MPD type="dynamic"><Period><AdaptationSet><Representation '
        "id='1'><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "[playlist]\nFile1={}\nNumberOfEntries=1\n",
        "{} {}\n",
        "subfile,,start,0,end,100000,,:{}\n",
    )
)


def mutate_image(random: Random, data: bytes) -> bytes:
    """Spoil an image by what its format is made of."""
    if random.random() < 0.15:
        return mutate_bytes(random, data)
    if data.startswith(_PNG):
        return _png(random, data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(random, data)
    if data.startswith(b"BM"):
        return _fields(
            random,
            data,
            ("<I", 2),
            ("<I", 10),
            ("<I", 14),
            ("<I", 18),
            ("<I", 22),
            ("<H", 26),
            ("<H", 28),
            ("<I", 30),
            ("<I", 34),
            ("<I", 46),
        )
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(random, data)
    return mutate_bytes(random, data)


def png_of(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG that claims this size and holds these bytes, compressed."""
    header = struct.pack(">IIBBBBB", width % 2**32, height % 2**32, depth, colour, 0, 0, 0)
    return _PNG + b"".join(
        _chunk(*each)
        for each in ((b"IHDR", header), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(random: Random, data: bytes) -> bytes:
    if random.random() < 0.1:
        width, height = random.choice(_SIZES), random.choice(_SIZES)
        depth, colour = random.choice((1, 2, 4, 8, 16, 3)), random.choice((0, 2, 3, 4, 6, 1))
        return png_of(width, height, depth, colour, bytes(random.choice((0, 10, 4096, 2**20))))
    chunks, place = [], len(_PNG)
    while place + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += size + 12
    for _ in range(times(random)):
        which = random.randrange(len(chunks))
        kind, body = chunks[which]
        match random.randrange(6):
            case 0 if kind == b"IHDR":
                place, form = random.choice(
                    ((0, ">I"), (4, ">I"), (8, "B"), (9, "B"), (10, "B"), (12, "B"))
                )
                body = (
                    body[:place]
                    + packed(random, form, random.choice(_SIZES))
                    + body[place + struct.calcsize(form) :]
                )
                chunks[which] = kind, body
            case 1:
                chunks[which] = kind, mutate_bytes(random, body)
            case 2:
                chunks[which] = random.choice(_KINDS), body
            case 3:
                chunks.insert(which, chunks[random.randrange(len(chunks))])
            case 4 if len(chunks) > 1:
                del chunks[which]
            case _:
                spoilt = (
                    mutate_bytes(random, zlib.decompress(body))
                    if kind == b"IDAT" and _inflates(body)
                    else body
                )
                chunks[which] = kind, zlib.compress(spoilt) if kind == b"IDAT" else spoilt
    return _PNG + b"".join(_chunk(*each) for each in chunks)


def _inflates(body: bytes) -> bool:
    try:
        zlib.decompress(body)
    except zlib.error:
        return False
    return True


def _jpeg(random: Random, data: bytes) -> bytes:
    """Another size, another number in a segment, or other tables."""
    markers = [
        place
        for place in range(len(data) - 1)
        if data[place] == 0xFF and 0xC0 <= data[place + 1] < 0xFF
    ]
    place = random.choice(markers)
    frames = [each for each in markers if 0xC0 <= data[each + 1] <= 0xC2]
    draw = random.random()
    if draw < 0.4 and frames:
        return spoilt_fields(random, data, ">H", random.choice(frames) + random.choice((5, 7)))
    if draw < 0.6:
        return spoilt_fields(random, data, ">H", place + 2)
    if draw < 0.8:
        return data[:place] + mutate_bytes(random, data[place : place + 40]) + data[place + 40 :]
    return data[: place + 1] + bytes([random.randrange(0xC0, 0xFF)]) + data[place + 2 :]


def _tiff(random: Random, data: bytes) -> bytes:
    sign = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(sign + "I", data, 4)
    if start + 2 > len(data):
        return mutate_bytes(random, data)
    (count,) = struct.unpack_from(sign + "H", data, start)
    for _ in range(times(random)):
        entry = start + 2 + 12 * random.randrange(max(count, 1))
        form, offset = random.choice((("H", 0), ("H", 2), ("I", 4), ("I", 8), ("H", 8)))
        place = random.choice((entry + offset, entry + offset, 4, start))
        data = spoilt_fields(random, data, sign + form, place)
    return data


def _fields(random: Random, data: bytes, *fields: tuple[str, int]) -> bytes:
    for _ in range(times(random)):
        data = spoilt_fields(random, data, *random.choice(fields))
    return data


def mutate_video(random: Random, data: bytes) -> bytes:
    """Spoil a video by the chunks of an AVI or the boxes of an MP4."""
    if random.random() < 0.2 or len(data) < 64:
        return mutate_bytes(random, data)
    is_avi = data.startswith(b"RIFF")
    # Chunks say what they are before their size, boxes after it.
    known = _AVI if is_avi else _BOXES
    places = [each.start() for each in re.finditer(b"|".join(known), data)]
    for _ in range(times(random)):
        place = random.choice(places) if places else 0
        match random.randrange(6):
            case 0:
                data = spoilt_fields(
                    random, data, "<I" if is_avi else ">I", place + (4 if is_avi else -4)
                )
            case 1 | 2:
                inside = place + 8 + 4 * random.randrange(16)
                data = spoilt_fields(random, data, "<I" if is_avi else ">I", inside)
            case 3:
                data = data[:place] + random.choice(known) + data[place + 4 :]
            case 4:
                data = data[: random.randrange(len(data) + 1)]
            case _:
                data = (
                    data[:place]
                    + mutate_bytes(random, data[place : place + 64])
                    + data[place + 64 :]
                )
    return data


_AVI = (
    b"avih",
    b"strh",
    b"strf",
    b"LIST",
    b"movi",
    b"00dc",
    b"idx1",
    b"hdrl",
    b"strl",
    b"JUNK",
    b"odml",
    b"indx",
)


def playlist_mutator(names: tuple[str, ...]) -> Mutate:
    """Writes texts that some players take for lists of other files."""

    def mutate(random: Random, data: bytes) -> bytes:
        text = random.choice(PLAYLISTS)
        for _ in range(text.count(b"{}")):
            name = random.choice((*names, f"/{OUTSIDE}/s.avi", "case.avi"))
            text = text.replace(b"{}", name.encode(), 1)
        if random.random() < 0.3:
            text = text * a_small(random) + data[:64]
        return mutate_bytes(random, text) if random.random() < 0.3 else text

    return mutate


def a_small(random: Random) -> int:
    """A number of copies."""
    return max(1, a_number(random) % 50)
