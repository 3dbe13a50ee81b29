"""Small videos in containers that OpenCV cannot write, and boxes of MP4 to take apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
# Boxes that hold boxes.
_FOLDERS = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"}


class Pipe(io.RawIOBase):
    """A file that can only be written on, as a pipe is."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += data
        return len(data)


def images(frames: int) -> list[np.ndarray]:
    """Distinct frames with some texture, uint8 [48, 64, 3]."""
    rng = np.random.default_rng(0)
    wall = rng.integers(0, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return [wall + np.uint8(3 * number) for number in range(frames)]


def encode(
    target: Path | Pipe, format_: str, codec: str, frames: int = 30, **options: str
) -> None:
    """Write a video of that container and codec."""
    with av.open(target if isinstance(target, Pipe) else str(target), "w", format_, options) as to:
        stream = to.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in images(frames):
            to.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        to.mux(stream.encode())


def boxes_of(data: bytes) -> list[list[Any]]:
    """The boxes of an MP4, each [name, content or boxes]."""
    boxes: list[list[Any]] = []
    position = 0
    while position + 8 <= len(data):
        length, name = (
            int.from_bytes(data[position : position + 4], "big"),
            data[position + 4 :][:4],
        )
        content = data[position + 8 : position + length]
        boxes.append([name, boxes_of(content) if name in _FOLDERS else content])
        position += length
    return boxes


def bytes_of(boxes: list[list[Any]]) -> bytes:
    """What `boxes_of` took apart."""
    data = b""
    for name, content in boxes:
        inside = bytes_of(content) if isinstance(content, list) else content
        data += (len(inside) + 8).to_bytes(4, "big") + name + inside
    return data


def with_box(data: bytes, path: str, content: bytes) -> bytes:
    """An MP4 with another content of a box, as 'moov/trak/edts/elst', which is made if need be."""
    boxes = top = boxes_of(data)
    *folders, last = (name.encode() for name in path.split("/"))
    for folder in folders:
        found = [inside for name, inside in boxes if name == folder]
        if not found:
            found = [[]]
            boxes.append([folder, found[0]])
        boxes = found[0]
    boxes[:] = [each for each in boxes if each[0] != last] + [[last, content]]
    return bytes_of(top)


def numbers(*values: int) -> bytes:
    """As MP4 writes numbers of four bytes."""
    return b"".join(value.to_bytes(4, "big", signed=value < 0) for value in values)
