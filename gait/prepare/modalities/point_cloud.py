"""Reads point clouds: the .pcd files that LiDAR recorders write."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.limits import FILE_BYTES
from gait.screen import shown

_AXES = ["x", "y", "z"]
# NumPy's letter for a header's, and the sizes in bytes that there are.
_TYPES = {"F": ("f", (4, 8)), "I": ("i", (1, 2, 4, 8)), "U": ("u", (1, 2, 4, 8))}
_EXPECTED = "a point cloud (.pcd, ascii or binary) with the fields x, y and z"
# The line that ends a header; one that does not end by then is none.
_END = re.compile(rb"^DATA[ \t]+(\w+)[ \t]*\r?\n", re.MULTILINE)
_LONGEST_HEADER = 4096
_LARGEST_POINT_BYTES = 4096
_BLOCK_BYTES = 2**20
_WORD = re.compile(rb"\S+")


def read_point_cloud(data: bytes, name: str) -> NDArray[np.float32]:
    """The points of a .pcd file, float32 [m, 3]: x, y and z in its own unit, as a rule metres.

    Points without a place, given as numbers that are not finite, are left out; so is what else a
    point has, such as its intensity.

    Args:
        data: the file.
        name: what to call it in messages.

    Raises:
        DataError: it is no such file, is cut short or compressed, or lacks one of the axes.

    Source: Point Cloud Library, "The PCD (Point Cloud Data) file format", version 0.7.
    """
    FILE_BYTES.check(len(data), name, "a point cloud")
    end = _END.search(data[:_LONGEST_HEADER])
    if not end:
        raise DataError(f"{name}: expected {_EXPECTED}, got {len(data)} bytes without its header")
    form, body = end[1].decode(), data[end.end() :]
    try:
        point, count = _header(data[: end.start()].decode("ascii", "replace"))
        if form == "binary":
            if count * point.itemsize > len(body):
                raise ValueError(f"{count} points in {len(body)} bytes")
            records = np.frombuffer(body, point, count)
            columns = [records[axis] for axis in _AXES]
        elif form == "ascii":
            line = _line(point)
            numbers = _numbers(body, count * len(line)).reshape(count, len(line))
            columns = [numbers[:, line.index(axis)] for axis in _AXES]
        else:
            raise ValueError(f"its data are {form}, so write it anew as ascii or binary")
    except (KeyError, IndexError, ValueError, OverflowError) as error:
        raise DataError(
            f"{name}: expected {_EXPECTED}, got one that cannot be read ({shown(error)}); copy it "
            "again or remove it"
        ) from None
    # Numbers that have no room, or are none, are no places.
    with np.errstate(over="ignore", invalid="ignore"):
        points = np.stack(columns, axis=1).astype(np.float32)
    return points[np.isfinite(points).all(axis=1)]


def _header(text: str) -> tuple[np.dtype[np.void], int]:
    """What a point is in memory, and how many there are; KeyError, ValueError for nonsense."""
    lines = [line.partition("#")[0].split() for line in text.splitlines()]
    entries = {line[0]: line[1:] for line in lines if line}
    fields = entries["FIELDS"]
    types = []
    for place, (field, size, letter, count) in enumerate(
        zip(
            fields,
            entries["SIZE"],
            entries["TYPE"],
            entries.get("COUNT", ["1"] * len(fields)),
            strict=True,
        )
    ):
        kind, sizes = _TYPES[letter]
        if int(size) not in sizes:
            raise ValueError(f"a number of {size} bytes")
        if field in _AXES and count != "1":
            raise ValueError(f"{count} numbers for {field}")
        # What pads a point has one name however often it comes.
        unique = field if field in _AXES else f"{place} {field}"
        types.append((unique, f"<{kind}{size}", () if count == "1" else (int(count),)))
    point, points = np.dtype(types), int(entries["POINTS"][0])
    if points < 0:
        raise ValueError(f"{points} points")
    if point.itemsize > _LARGEST_POINT_BYTES:
        raise ValueError(f"a point of {point.itemsize} bytes")
    return point, points


def _numbers(text: bytes, count: int) -> NDArray[np.float64]:
    """So many numbers, split some at a time; ValueError for another number of them."""
    # Each takes a byte, and one between it and the next.
    if count > (len(text) + 1) // 2:
        raise ValueError(f"{count} numbers in {len(text)} bytes")
    numbers = np.empty(count)
    start = at = 0
    while start < len(text):
        end = start + _BLOCK_BYTES
        # No number goes on in the next block.
        rest = _WORD.match(text, end)
        end = rest.end() if rest else end
        block = np.array(text[start:end].split(), np.float64)
        if at + len(block) > count:
            raise ValueError(f"more than {count} numbers")
        numbers[at : at + len(block)] = block
        start, at = end, at + len(block)
    if at < count:
        raise ValueError(f"{at} numbers instead of {count}")
    return numbers


def _line(point: np.dtype[np.void]) -> list[str]:
    """The field that each number of a line belongs to."""
    return [name for name in point.names or () for _ in range(math.prod(point[name].shape))]
