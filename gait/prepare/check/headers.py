"""What the first bytes of a file tell of it, without a decoder."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import NamedTuple

# What may be wrong with a file, to be told after what it is.
EMPTY = "without a byte"
CUT_SHORT = "cut short"
FOREIGN = "of another content than their name says"
UNREADABLE = "unreadable"

_IMAGE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|BM")
# Matroska and WebM; MP4 and QuickTime have the type of their first box after its length.
_VIDEO = re.compile(rb"\x1a\x45\xdf\xa3|....(?:ftyp|moov|mdat|wide|free|skip)", re.DOTALL)
_AVI = re.compile(rb"RIFF(....)AVI ", re.DOTALL)
# Where AVI has its main header, and in that the number of frames.
_AVIH, _AVI_FRAMES = 24, 48
_LONGEST = 64
# Lengths that a recorder leaves there when it is not stopped properly; players do without.
_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)


class FileHeader(NamedTuple):
    """What the first bytes tell.

    Attributes:
        problem: what is wrong with the file, one of those above; empty if nothing is seen.
        frames: number of frames that a video announces; None where that is not known.
    """

    problem: str
    frames: int | None = None


def image_header(path: Path) -> FileHeader:
    """What the first bytes of a png, jpg or bmp tell."""
    data, size, problem = _beginning(path)
    if problem or not size:
        return FileHeader(problem or EMPTY)
    return FileHeader("" if _IMAGE.match(data) else FOREIGN)


def video_header(path: Path) -> FileHeader:
    """What the first bytes of a video tell; of an AVI file also whether its end is missing."""
    data, size, problem = _beginning(path)
    if problem or not size:
        return FileHeader(problem or EMPTY)
    avi = _AVI.match(data)
    if avi is None:
        return FileHeader("" if _VIDEO.match(data) else FOREIGN)
    (length,) = struct.unpack("<I", avi[1])
    if length not in _UNKNOWN_LENGTHS and length + 8 > size:
        return FileHeader(CUT_SHORT)
    if data[_AVIH : _AVIH + 4] != b"avih" or len(data) < _AVI_FRAMES + 4:
        return FileHeader("")
    (frames,) = struct.unpack_from("<I", data, _AVI_FRAMES)
    return FileHeader("", frames or None)


def _beginning(path: Path) -> tuple[bytes, int, str]:
    """The first bytes, the size, and the problem of reading them, if any."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(_LONGEST)
            return data, file.seek(0, 2), ""
    except OSError:
        return b"", 0, UNREADABLE
