"""Decodes images from outside: what a header claims is bounded, and what is damaged refused."""

from __future__ import annotations

import os
import re
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gait import limits
from gait.errors import DataError

UNREADABLE = "unreadable"
TOO_LARGE = "image too large"

_PNG, _JPEG, _BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"
# Chunks of a PNG, or segments of a JPEG. Images of 64 MiB have a few thousand.
_MOST_PARTS = 2**16
# Each pass of a progressive JPEG costs as much as the whole image; encoders make about ten.
_MOST_SCANS = 100
_CHUNK, _NUMBER, _FIRST = struct.Struct(">I4s"), struct.Struct(">I"), struct.Struct(">IIBB")
_PLAIN = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"})
_GRAY_ALPHA, _COLOUR_ALPHA = 4, 6
# Any marker but those that stand inside a scan: stuffed zeros and restarts.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# How the JPEG library says that it has filled in what is missing.
_MENDED = (b"Corrupt JPEG data", b"Premature end of JPEG file")


class ImageError(DataError):
    """An image cannot be used.

    Attributes:
        reason: why, in a few words, by which frames are counted.
    """

    def __init__(self, message: str, reason: str = UNREADABLE) -> None:
        super().__init__(message)
        self.reason = reason


class ImageHeader(NamedTuple):
    """What an image says about itself.

    Attributes:
        height_px: rows.
        width_px: columns.
        has_alpha: whether pixels may be transparent.
        is_deep: whether values have 16 bits.
        is_lossy: whether it is a JPEG, which may have been repaired while it was decoded.
        is_plain: whether there is nothing in it but pixels, of which no decoder complains.
    """

    height_px: int
    width_px: int
    has_alpha: bool = False
    is_deep: bool = False
    is_lossy: bool = False
    is_plain: bool = False


class Bounds(NamedTuple):
    """How large images may be; asked for once for many, as the environment is slow to answer."""

    file_bytes: int
    pixels: int

    @staticmethod
    def now() -> Bounds:
        """Those in force."""
        return Bounds(limits.IMAGE_BYTES.value, limits.IMAGE_PX.value)


def read_file(path: Path | str, bounds: Bounds) -> bytes:
    """The content of an image file.

    Raises:
        ImageError: the file cannot be read, or is larger than an image may be.
    """
    try:
        number = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(number).st_size
            if size > bounds.file_bytes:
                raise _too_large(limits.IMAGE_BYTES, size, path)
            return os.read(number, size)
        finally:
            os.close(number)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from None


def decode(data: bytes, source: Path | str, flags: int) -> NDArray[np.uint8]:
    """The pixels of a PNG, JPEG or BMP, whatever its name says.

    The size is taken from the header and bounded before anything is reserved. An image whose
    checksums differ or whose end is missing is refused, rather than shown with what a decoder
    puts in place of the rest.

    Args:
        data: the file's content.
        source: what to call it in messages.
        flags: as `cv2.imdecode` has them.

    Returns:
        uint8 [h, w], or [h, w, 3] as blue, green, red; with `cv2.IMREAD_UNCHANGED` as the file
        has it.

    Raises:
        ImageError: it is no such image, damaged, or too large.
    """
    return decoded(data, header_of(data, source, Bounds.now()), source, flags)


def decoded(data: bytes, header: ImageHeader, source: Path | str, flags: int) -> NDArray[np.uint8]:
    """The pixels of an image whose header has been read, see `decode`.

    Raises:
        ImageError: it is damaged.
    """
    buffer = np.frombuffer(data, np.uint8)
    image, complaints = (_image(buffer, flags), b"") if header.is_plain else _quiet(buffer, flags)
    if image is None or (header.is_lossy and any(each in complaints for each in _MENDED)):
        raise ImageError(f"{source}: expected an image, got {len(data):,} bytes that are damaged")
    return image


def header_of(data: bytes, source: Path | str, bounds: Bounds) -> ImageHeader:
    """What an image says about itself; its parts are complete, and its size is bounded.

    Raises:
        ImageError: it is no PNG, JPEG or BMP, damaged, or too large.
    """
    if len(data) > bounds.file_bytes:
        raise _too_large(limits.IMAGE_BYTES, len(data), source)
    try:
        if data.startswith(_PNG):
            header = _png(data)
        elif data.startswith(_JPEG):
            header = _jpeg(data)
        elif data.startswith(_BMP):
            header = _bmp(data)
        else:
            raise ValueError("are no PNG, JPEG or BMP; save it as one of these")
    except (ValueError, struct.error) as error:
        what = "end within its header" if isinstance(error, struct.error) else error
        raise ImageError(
            f"{source}: expected an image, got {len(data):,} bytes that {what}"
        ) from None
    if header.height_px < 1 or header.width_px < 1:
        raise ImageError(f"{source}: expected an image, got one without a pixel")
    pixels = header.height_px * header.width_px
    if pixels > bounds.pixels:
        raise _too_large(limits.IMAGE_PX, pixels, source)
    return header


def _too_large(limit: limits.Limit, actual: int, source: Path | str) -> ImageError:
    try:
        limit.check(actual, source, "an image")
    except DataError as error:
        return ImageError(str(error), f"{TOO_LARGE}, see {limit.variable}")
    raise AssertionError(f"{limit.variable} was raised meanwhile")


def _png(data: bytes) -> ImageHeader:
    """Chunk by chunk, with the checksums of those that pixels depend on.

    Raises:
        ValueError: a checksum or the end is wrong.
    """
    view = memoryview(data)
    position = len(_PNG)
    kinds: set[bytes] = set()
    kind, parts = b"", 0
    while kind != b"IEND":
        length, kind = _CHUNK.unpack_from(data, position)
        end = position + 8 + length
        if kind[:1].isupper() or kind == b"tRNS":
            (checksum,) = _NUMBER.unpack_from(data, end)
            if zlib.crc32(view[position + 4 : end]) != checksum:
                raise ValueError("differ from their own checksum")
        position = end + 4
        kinds.add(kind)
        parts += 1
        if parts > _MOST_PARTS:
            raise ValueError("come in more parts than an image has")
    if b"acTL" in kinds:
        raise ValueError("are an animation; save each of its frames")
    width, height, depth, colours = _FIRST.unpack_from(data, len(_PNG) + 8)
    if data[12:16] != b"IHDR" or b"IDAT" not in kinds:
        raise ValueError("lack the header or the pixels")
    has_alpha = colours in (_GRAY_ALPHA, _COLOUR_ALPHA) or b"tRNS" in kinds
    return ImageHeader(height, width, has_alpha, depth == 16, is_plain=kinds <= _PLAIN)


def _jpeg(data: bytes) -> ImageHeader:
    """Segment by segment up to the mark of the end.

    Raises:
        ValueError: that mark is missing, or there are more scans than an encoder makes.
    """
    height = width = scans = 0
    position = 2
    for _ in range(_MOST_PARTS):
        found = _MARKER.search(data, position)
        if found is None:
            raise ValueError("are cut short")
        marker, position = found[1][0], found.end()
        if marker == _END:
            break
        if marker in (_START, 0x01):
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _SIZES:
            # A second one would be believed by one reader and not by another.
            if height:
                raise ValueError("state their size twice")
            height, width = struct.unpack_from(">HH", data, position + 3)
        scans += marker == _SCAN
        position += length
    else:
        raise ValueError("come in more parts than an image has")
    if scans > _MOST_SCANS:
        raise ValueError(f"have {scans} scans, expected at most {_MOST_SCANS}")
    return ImageHeader(height, width, is_lossy=True)


def _bmp(data: bytes) -> ImageHeader:
    """The header, and for pixels that are not compressed whether all are there.

    Raises:
        ValueError: some are missing.
    """
    first, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)
    # Of run lengths, the last is a mark of the end.
    if compression in (1, 2):
        is_whole = data[-4:].find(b"\x00\x01") >= 0
    else:
        is_whole = first + height * (-(-width * bits // 32) * 4) <= len(data)
    if not is_whole:
        raise ValueError("are cut short")
    return ImageHeader(height, width)


def _image(buffer: NDArray[np.uint8], flags: int) -> NDArray[np.uint8] | None:
    try:
        image = cv2.imdecode(buffer, flags)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image)


def _quiet(buffer: NDArray[np.uint8], flags: int) -> tuple[NDArray[np.uint8] | None, bytes]:
    """The image, and what the decoder wrote on stderr, which does not get there.

    The libraries write past Python, so the process's own stderr is put aside meanwhile.
    """
    aside = _aside()
    try:
        stderr = os.dup(2)
    except OSError:
        return _image(buffer, flags), b""
    try:
        os.dup2(aside, 2)
        image = _image(buffer, flags)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    written = os.lseek(aside, 0, os.SEEK_CUR)
    if not written:
        return image, b""
    complaints = os.pread(aside, min(written, limits.HEADER_BYTES.default), 0)
    os.ftruncate(aside, 0)
    os.lseek(aside, 0, os.SEEK_SET)
    return image, complaints


@cache
def _aside() -> int:
    """A file without a name in place of stderr."""
    number, name = tempfile.mkstemp()
    Path(name).unlink()
    return number
