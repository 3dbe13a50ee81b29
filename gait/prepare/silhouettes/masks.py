"""Bit-packed masks of a sequence: one compressed .npz file instead of a hundred images.

Each mask is stored as the bits of its bounding box, and written and read some masks at a time, so
that an hour of video takes no more memory than a second. The arrays of the file, all of which
`numpy.load` reads:

- `bits0`, `bits1`, ...: uint8 [n], the boxes' rows, each packed as by `np.packbits`, one mask
  behind the other; a mask lies in one of these arrays;
- `boxes`: int32 [s, 4], left, top, width and height;
- `frames`: int32 [s], number of each mask's frame in the source, from 0;
- `size`: int32 [2], height and width of a frame;
- `fingerprint`, `frames_read`, `reasons`, `counts`: what the file says besides the masks.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gait import limits
from gait.errors import DataError
from gait.files import atomic_path
from gait.formats.arrays import BROKEN, opened, read_member, view
from gait.formats.seal import check_zip_seal, seal_zip

# Packed masks that are compressed, and read, together.
_PART_BYTES = 2**20
_REASONS = 1000
_TEXT_BYTES = 2**16
REMEDY = "make it again with 'gait segment'"


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """What a mask file says about its sequence, besides the masks.

    Attributes:
        fingerprint: digest of everything the masks were made from.
        frames_read: frames of the source.
        frames_kept: frames that have a mask.
        dropped: number of the other frames, by reason.
    """

    fingerprint: str
    frames_read: int
    frames_kept: int
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of a sequence, or some of them.

    Attributes:
        masks: uint8 [s, h, w], 255 on the walker and 0 elsewhere.
        frames: int32 [s], number of each mask's frame in the source, from 0.
    """

    masks: NDArray[np.uint8]
    frames: NDArray[np.int32]


class MaskWriter:
    """Takes the masks of a sequence one by one; see `write_masks`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._parts = self._waiting_bytes = 0
        self._waiting: list[NDArray[np.uint8]] = []
        self._boxes: list[tuple[int, int, int, int]] = []
        self._frames: list[int] = []
        self._size: tuple[int, ...] = (0, 0)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, mask: NDArray[np.bool_] | NDArray[np.uint8], frame: int) -> None:
        """Store a mask.

        Args:
            mask: [h, w], non-zero on the walker.
            frame: number of its frame in the source, from 0.

        Raises:
            ValueError: another size than the masks before; the message gives both.
        """
        if self._frames and mask.shape != self._size:
            raise ValueError(f"expected a mask {list(self._size)}, got {list(mask.shape)}")
        self._size = mask.shape
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        inside = mask[top : top + height, left : left + width]
        packed = np.packbits(inside, axis=1).ravel()
        self._boxes.append((left, top, width, height))
        self._frames.append(frame)
        self._waiting.append(packed)
        self._waiting_bytes += len(packed)
        if self._waiting_bytes >= _PART_BYTES:
            self._store_part()

    def finish(self, fingerprint: str, frames_read: int, dropped: Mapping[str, int]) -> MaskRecord:
        """Store what the file says besides the masks; what it then says.

        Args:
            fingerprint: digest of everything the masks were made from.
            frames_read: frames of the source.
            dropped: number of frames without a mask, by reason.
        """
        if self._waiting:
            self._store_part()
        reasons = sorted(dropped)
        self._store("boxes", np.array(self._boxes, np.int32).reshape(-1, 4))
        self._store("frames", np.array(self._frames, np.int32))
        self._store("size", np.array(self._size, np.int32))
        self._store("fingerprint", np.array(fingerprint, np.str_))
        self._store("frames_read", np.array(frames_read, np.int32))
        self._store("reasons", np.array(reasons, np.str_))
        self._store("counts", np.array([dropped[each] for each in reasons], np.int32))
        return MaskRecord(fingerprint, frames_read, len(self), dict(dropped))

    def _store_part(self) -> None:
        self._store(f"bits{self._parts}", np.concatenate(self._waiting))
        self._waiting, self._waiting_bytes = [], 0
        self._parts += 1

    def _store(self, name: str, array: NDArray[Any]) -> None:
        # Made by name alone, without the time, so that the same masks give the same bytes.
        member = zipfile.ZipInfo(f"{name}.npy")
        member.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(member, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, array, version=(1, 0))


@contextmanager
def write_masks(path: Path) -> Iterator[MaskWriter]:
    """Write the masks of a sequence; whoever does so finishes the writer in the end.

    Args:
        path: the .npz file; its folder is made, and it is replaced in one step.

    Raises:
        DataError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            yield MaskWriter(archive)
        seal_zip(temporary)


def save_masks(
    path: Path,
    masks: NDArray[np.bool_] | NDArray[np.uint8],
    frames: NDArray[np.int32],
    fingerprint: str,
    *,
    frames_read: int | None = None,
    dropped: Mapping[str, int] | None = None,
) -> None:
    """Write the masks of a sequence at once; the same arguments give the same bytes.

    Args:
        path: the .npz file; its folder is made, and it is replaced in one step.
        masks: [s, h, w], non-zero on the walker; s may be 0, to record that nothing was found.
        frames: frame numbers [s].
        fingerprint: digest of everything the masks were made from.
        frames_read: frames of the source; as many as there are masks when not given.
        dropped: number of frames without a mask, by reason.

    Raises:
        ValueError: shapes that do not fit; the message gives both.
        DataError: the file cannot be written.
    """
    if masks.ndim != 3 or frames.shape != masks.shape[:1]:
        raise ValueError(
            f"{path}: expected masks [s, h, w] and frames [s], "
            f"got {list(masks.shape)} and {list(frames.shape)}"
        )
    read = len(masks) if frames_read is None else frames_read
    with write_masks(path) as writer:
        for mask, frame in zip(masks, frames.tolist(), strict=True):
            writer.add(mask, frame)
        writer.finish(fingerprint, read, dropped or {})


def load_masks(path: Path, remedy: str = REMEDY) -> Masks:
    """All masks of a file at once; see `read_masks`."""
    blocks = list(read_masks(path, 0, remedy))
    if not blocks:
        return Masks(np.zeros((0, 0, 0), np.uint8), np.zeros(0, np.int32))
    return Masks(
        np.concatenate([block.masks for block in blocks]),
        np.concatenate([block.frames for block in blocks]),
    )


def read_masks(path: Path, block_bytes: int, remedy: str = REMEDY) -> Iterator[Masks]:
    """The masks of a file, some at a time, in memory that does not depend on their number.

    Args:
        path: the file.
        block_bytes: about how many bytes the masks of one block take; at least one mask.
        remedy: how to make the file again.

    Raises:
        DataError: the file is missing, damaged, of a former version, or is not such a file.
    """
    check_zip_seal(path, remedy)
    try:
        with path.open("rb") as file, opened(file, path) as archive:
            yield from _blocks(archive, block_bytes)
    except BROKEN as error:
        raise DataError(
            f"{path}: expected bit-packed masks, got a file that cannot be read as such "
            f"({error}); {remedy}"
        ) from None


def read_record(path: Path) -> MaskRecord | None:
    """What a mask file says about its sequence; None for no file or one that cannot be read."""
    try:
        check_zip_seal(path, REMEDY)
        with path.open("rb") as file, opened(file, path) as archive:
            counts = _array(archive, "counts", "<i4", 1, 4 * _REASONS)
            reasons = _array(archive, "reasons", "<U", 1, _TEXT_BYTES)
            return MaskRecord(
                str(_array(archive, "fingerprint", "<U", 0, _TEXT_BYTES)),
                int(_array(archive, "frames_read", "<i4", 0, 4)),
                len(_array(archive, "frames", "<i4", 1, 4 * limits.VIDEO_FRAMES.value)),
                dict(zip(reasons.tolist(), counts.tolist(), strict=True)),
            )
    except (DataError, *BROKEN):
        return None


def _array(
    archive: zipfile.ZipFile, name: str, type_: str, ndim: int, most_bytes: int
) -> NDArray[Any]:
    """An array, if it is of that type and of at most so many bytes.

    Raises:
        ValueError: it is not; or anything in `BROKEN`.
    """
    array = view(read_member(archive, name, most_bytes))
    if not array.dtype.str.startswith(type_) or array.ndim != ndim:
        raise ValueError(f"{name} is {array.dtype} {list(array.shape)}")
    if array.nbytes > most_bytes:
        raise ValueError(f"{name} has {array.nbytes:,} bytes, expected at most {most_bytes:,}")
    return array


def _blocks(archive: zipfile.ZipFile, block_bytes: int) -> Iterator[Masks]:
    most = limits.VIDEO_FRAMES.value
    boxes = _array(archive, "boxes", "<i4", 2, 16 * most)
    frames = _array(archive, "frames", "<i4", 1, 4 * most)
    height, width = _array(archive, "size", "<i4", 1, 8).tolist()
    ends = boxes[:, :2].astype(np.int64) + boxes[:, 2:]
    if (
        boxes.shape[1] != 4
        or len(boxes) != len(frames)
        or not 0 <= height * width <= limits.VIDEO_PX.value
        or (boxes < 0).any()
        or (ends > (width, height)).any()
    ):
        raise ValueError("boxes that do not fit the frames")
    packed = _packed(archive, boxes, height * -(-width // 8))
    at_once = max(1, block_bytes // max(height * width, 1)) if block_bytes else len(boxes)
    for first in range(0, len(boxes), max(at_once, 1)):
        last = min(first + at_once, len(boxes))
        masks = np.zeros((last - first, height, width), np.uint8)
        for mask, (left, top, across, down) in zip(masks, boxes[first:last].tolist(), strict=True):
            bits = np.unpackbits(next(packed), axis=1, count=across)
            np.multiply(bits, 255, out=mask[top : top + down, left : left + across])
        yield Masks(masks, frames[first:last])
    # Nothing comes, unless bits are left over, which is said.
    next(packed, None)


def _packed(
    archive: zipfile.ZipFile, boxes: NDArray[np.int32], largest: int
) -> Iterator[NDArray[np.uint8]]:
    """The bits of each box, uint8 [h, w / 8 rounded up]."""
    part = np.zeros(0, np.uint8)
    number = start = 0
    for _, _, width, height in boxes.tolist():
        across = -(-width // 8)
        if start == len(part) and across * height:
            part = _array(archive, f"bits{number}", "|u1", 1, _PART_BYTES + largest)
            number, start = number + 1, 0
        end = start + across * height
        if end > len(part):
            raise ValueError("fewer bits than boxes")
        yield part[start:end].reshape(height, across)
        start = end
    if start != len(part):
        raise ValueError("more bits than boxes")
