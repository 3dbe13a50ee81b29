"""Bit-packed masks of a sequence: one compressed .npz file instead of a hundred images."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import atomic_path

_UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)


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
    """The masks of a sequence.

    Attributes:
        masks: uint8 [s, h, w], 255 on the walker and 0 elsewhere.
        frames: int32 [s], number of each mask's frame in the source, from 0.
        fingerprint: digest of everything the masks were made from.
    """

    masks: NDArray[np.uint8]
    frames: NDArray[np.int32]
    fingerprint: str


def save_masks(
    path: Path,
    masks: NDArray[np.bool_] | NDArray[np.uint8],
    frames: NDArray[np.int32],
    fingerprint: str,
    *,
    frames_read: int | None = None,
    dropped: Mapping[str, int] | None = None,
) -> None:
    """Write the masks of a sequence; the same arguments give the same bytes.

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
    bits = np.packbits(masks != 0, axis=2)
    record = MaskRecord(fingerprint, read, len(masks), dict(dropped or {}))
    save_bits(path, bits, masks.shape[2], frames, record)


def save_bits(
    path: Path,
    bits: NDArray[np.uint8],
    width_px: int,
    frames: NDArray[np.int32],
    record: MaskRecord,
) -> None:
    """Write masks that are packed already, as `np.packbits` does it along the width.

    Args:
        path: the .npz file; its folder is made, and it is replaced in one step.
        bits: [s, h, width_px / 8 rounded up].
        width_px: width of a mask.
        frames: frame numbers [s].
        record: what the file says besides the masks.

    Raises:
        DataError: the file cannot be written.
    """
    reasons = sorted(record.dropped)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            bits=bits,
            width=np.int32(width_px),
            frames=np.asarray(frames, np.int32),
            fingerprint=np.str_(record.fingerprint),
            frames_read=np.int32(record.frames_read),
            reasons=np.asarray(reasons, np.str_),
            counts=np.asarray([record.dropped[each] for each in reasons], np.int32),
        )


def load_masks(path: Path) -> Masks:
    """Read a file written by `save_masks`.

    Raises:
        DataError: the file is missing or is not such a file.
    """
    try:
        with np.load(path) as stored:
            bits, frames, width = stored["bits"], stored["frames"], int(stored["width"])
            fingerprint = str(stored["fingerprint"])
        if bits.ndim != 3 or len(bits) != len(frames) or bits.shape[2] != -(-width // 8):
            raise ValueError(f"bits {list(bits.shape)} for {len(frames)} frames, width {width}")
        unpacked = np.unpackbits(bits, axis=2, count=width)
    except FileNotFoundError:
        raise DataError(f"{path}: expected the masks of a sequence, found no file") from None
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: expected bit-packed masks, got a file that cannot be read as such "
            f"({error}); delete it and run again"
        ) from None
    unpacked *= 255
    return Masks(unpacked, frames, fingerprint)


def read_record(path: Path) -> MaskRecord | None:
    """What a mask file says about its sequence; None for no file or one that cannot be read."""
    try:
        with np.load(path) as stored:
            return MaskRecord(
                str(stored["fingerprint"]),
                int(stored["frames_read"]),
                len(stored["frames"]),
                dict(zip(stored["reasons"].tolist(), stored["counts"].tolist(), strict=True)),
            )
    except _UNREADABLE:
        return None
