"""PNG files of every kind, written by hand: OpenCV writes neither palettes nor wrong checksums."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(
    image: NDArray[np.integer],
    palette: list[Colour] | None = None,
    transparency: bytes = b"",
    claimed: tuple[int, int] | None = None,
    extra: bytes = b"",
) -> bytes:
    """A PNG of gray, gray and alpha, red green blue, or these and alpha, with 8 or 16 bits.

    Args:
        image: [h, w] or [h, w, channels]; indices where there is a palette.
        palette: its colours.
        transparency: alpha of these colours.
        claimed: height and width for the header, where it is to lie.
        extra: further chunks.
    """
    height, width = claimed or image.shape[:2]
    rows = image.reshape(len(image), -1)
    bits = 8 * image.dtype.itemsize
    colours = 3 if palette else _COLOURS[1 if image.ndim == 2 else image.shape[2]]
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    big = rows.astype(rows.dtype.newbyteorder(">"))
    pixels = b"".join(b"\0" + row.tobytes() for row in big)
    parts = [chunk(b"IHDR", header), extra]
    if palette:
        parts.append(chunk(b"PLTE", bytes(value for colour in palette for value in colour)))
    if transparency:
        parts.append(chunk(b"tRNS", transparency))
    parts += [chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
