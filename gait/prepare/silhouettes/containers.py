"""What the containers of videos claim, read from their outermost structure before any decoding.

Demuxers end in silence where the last bytes are missing, and reserve what an index claims; the
sizes that a container states tell both.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

# Demuxers, by FFmpeg's names.
AVI, MP4, MATROSKA = "avi", "mov", "matroska"
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
# What an MP4 or MOV begins with.
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid"})
# What stands for a size that the writer, who could not go back, did not know.
_UNKNOWN_RIFF = (0, 0xFFFFFFFF)
_SOUND = frozenset({b"soun", b"alis", b"url "})
_INDEX = re.compile(rb"trak|trun|elst|stsz|stz2|stts|hdlr|cmov")


def container_of(file: BinaryIO) -> str:
    """The container that a file begins as: AVI, MP4 or MATROSKA; empty for another."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    if start[:4] == b"RIFF" and start[8:11] == b"AVI":
        return AVI
    if start[:4] == _EBML:
        return MATROSKA
    return MP4 if start[4:8] in _BOXES else ""


def is_cut_short(path: Path) -> bool:
    """Whether bytes that the container announces are missing at the end of the file.

    AVI, the family of MP4 and MOV, Matroska and WebM state their size; of other files, and where
    the writer left the size open, nothing is missing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind = container_of(file)
        if kind == AVI:
            return _end_of_riff(file, size) > size
        if kind == MATROSKA:
            return _end_of_segment(file, size) > size
        return kind == MP4 and any(box.end > size for box in _boxes(file, size))


def samples_of(path: Path) -> int | None:
    """How many frames, and pieces of sound, the index of an MP4 or MOV claims, each edit anew.

    A demuxer reserves memory for that many, whatever the file holds.

    Returns:
        None for an index that cannot be read without unpacking it, as QuickTime once wrote it.
    """
    size, total = path.stat().st_size, 0
    with (
        path.open("rb") as file,
        closing(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)) as data,
    ):
        for box in _boxes(file, size):
            if box.name == b"mdat":
                continue
            tracks = [_Track()]
            # By name wherever they stand, as the demuxer takes them wherever they stand.
            for match in _INDEX.finditer(data, box.start, min(box.end, size)):
                name, content = match[0], data[match.end() : match.end() + 20]
                if name == b"cmov":
                    return None
                tracks = [*tracks, _Track()] if name == b"trak" else tracks
                tracks[-1].add(name, content)
            total += sum(track.samples for track in tracks)
    return total


class _Track:
    """What the index of a track claims."""

    def __init__(self) -> None:
        self._samples = self._fragments = self._edits = 0
        self._handlers: set[bytes] = set()
        self._is_evenly_timed = True

    def add(self, name: bytes, content: bytes) -> None:
        """Note a table of the track, by its name and the first bytes of its content."""
        first, second = (int.from_bytes(content[at : at + 4], "big") for at in (4, 8))
        if name in (b"stsz", b"stz2"):
            self._samples += second
        elif name == b"trun":
            self._fragments += first
        elif name == b"elst":
            self._edits += first
        elif name == b"stts":
            self._is_evenly_timed &= content[4:8] + content[12:16] == b"\0\0\0\1" * 2
        elif name == b"hdlr":
            self._handlers.add(content[8:12])

    @property
    def samples(self) -> int:
        # Sound that is not compressed is kept by blocks, not by samples. In QuickTime's files,
        # the place of the data has a handler as well.
        is_plain = self._is_evenly_timed and b"soun" in self._handlers and self._handlers <= _SOUND
        return self._fragments + (0 if is_plain else self._samples * max(self._edits, 1))


class _Box(NamedTuple):
    name: bytes
    start: int
    end: int


def _boxes(file: BinaryIO, size: int) -> Iterator[_Box]:
    """The outermost boxes of an MP4; the last may claim to end behind the file."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        length, start = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), 16
        elif length == 0:
            # A box up to the end, wherever that is.
            length = size - position
        if len(head) < start or length < start:
            break
        yield _Box(head[4:8], position + start, position + length)
        position += length


def _end_of_riff(file: BinaryIO, size: int) -> int:
    position = 0
    # Longer files than 1 GiB have several such chunks, one behind the other.
    while position < size:
        file.seek(position)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if len(head) < 8 or head[:4] != b"RIFF" or length in _UNKNOWN_RIFF:
            break
        position += 8 + length
        if position >= size:
            return position
        # Chunks begin at even places; the padding of the last may be left out.
        position += length % 2
    return size


def _end_of_segment(file: BinaryIO, size: int) -> int:
    file.seek(4)
    length = _size_of_element(file)
    if length is None:
        return size
    file.seek(length, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return size
    length = _size_of_element(file)
    return size if length is None else file.tell() + length


def _size_of_element(file: BinaryIO) -> int | None:
    """A size as Matroska writes it; None for an unknown one."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    rest = file.read(extra)
    if len(rest) < extra:
        return None
    all_ones = (1 << (7 * (extra + 1))) - 1
    value = int.from_bytes(first + rest, "big") & all_ones
    return None if value == all_ones else value
