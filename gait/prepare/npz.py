"""Reads one array of an `.npz` file from anywhere, in bounded memory."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gait.limits import FILE_BYTES, HEADER_BYTES

# What a file that is none, or is damaged, can cause.
BROKEN = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)

# All that NumPy writes.
_FORMS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Magic, version and the length of the text that follows, which is a literal of Python.
_START = re.compile(rb"\x93NUMPY(?:\x01\x00(?P<short>..)|[\x02\x03]\x00(?P<long>....))", re.DOTALL)
_TYPE = re.compile(r"'descr': *'([^']{1,16})'")
_ORDER = re.compile(r"'fortran_order': *(True|False)")
# Python 2 wrote an L after a number.
_SHAPE = re.compile(r"'shape': *\(((?: *[0-9]{1,19}L? *,?){0,32}) *\)")
_LONGEST_HEADER = 4096
# A comment, and what is around it, at the end of an archive.
_TAIL_BYTES = 2**16 + 2**7
_END, _OF_64_BITS = b"PK\x05\x06", b"PK\x06\x07"


class Member(NamedTuple):
    """An array in a file.

    Attributes:
        code: its type, as NumPy writes it.
        shape: its shape.
        order: C, or F where the first axis is the fastest.
        content: what follows the header.
    """

    code: str
    shape: tuple[int, ...]
    order: str
    content: memoryview


def read_member(file: BinaryIO, name: str, source: Path | str, most_bytes: int) -> Member:
    """The array of a name, as it is in the file.

    Args:
        file: the `.npz` file.
        name: the array's, without `.npy`.
        source: what to call the file in messages.
        most_bytes: how large the array may be.

    Raises:
        DataError: the file is larger than `gait.limits` has it.
        BROKEN: it is no such file, is damaged, or has no such array.
    """
    size = file.seek(0, 2)
    FILE_BYTES.check(size, source, "a file")
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    listed = int.from_bytes(tail[(end := tail.rfind(_END)) + 12 : end + 16], "little")
    if end < 0 or _OF_64_BITS in tail or listed > HEADER_BYTES.value:
        raise zipfile.BadZipFile("no list of a few arrays at its end")
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.file_size > most_bytes:
            raise ValueError(f"{name} has {member.file_size} bytes, expected at most {most_bytes}")
        if member.compress_type not in _FORMS:
            raise ValueError(f"{name} is compressed in another way than NumPy does")
        array = archive.read(member)
    if not (start := _START.match(array)):
        raise ValueError(f"{name} is no array of NumPy")
    length = int.from_bytes(start["short"] or start["long"], "little")
    header = array[start.end() : start.end() + min(length, _LONGEST_HEADER)].decode("latin-1")
    code, order, shape = (each.search(header) for each in (_TYPE, _ORDER, _SHAPE))
    if not (code and order and shape):
        raise ValueError(f"{name} is no array of one type of numbers")
    axes = tuple(int(axis) for axis in re.findall("[0-9]+", shape[1]))
    return Member(
        code[1],
        axes,
        "F" if order[1] == "True" else "C",
        memoryview(array)[start.end() + length :],
    )
