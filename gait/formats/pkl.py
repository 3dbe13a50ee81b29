"""The interchange format: a modality of a sequence is one pickled array, read without trust.

Ragged frames, such as clouds of points, are a list of arrays.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import write_if_changed
from gait.formats.axis_order import as_here
from gait.formats.pickles.arrays import unpickled
from gait.formats.pickles.writer import PROTOCOL, with_old_name, write_pickled
from gait.limits import FILE_BYTES
from gait.modalities import MODALITIES, SILHOUETTES, Modality, fitting
from gait.ragged import Frames, Ragged
from gait.screen import shown

# A packed store has no larger ones.
_LARGEST = float(np.finfo(np.float32).max)


def write_pkl(path: Path, frames: Frames, modality: str = SILHOUETTES) -> bool:
    """Write the frames of a sequence, readable by a plain `pickle.load`.

    A file that already holds exactly this is left alone, with its modification time.

    Args:
        path: the pkl; its folder is made, and it is replaced in one step.
        frames: as the modality has them, silhouettes uint8 [s, h, w]; no size is 0.
        modality: what the frames are, a name in `gait.modalities`.

    Returns:
        Whether the file was written.

    Raises:
        DataError: another type or shape, or the file cannot be written.
    """
    checked = _checked(path, frames, modality)
    if isinstance(checked, Ragged):
        data = pickle.dumps(checked.split(), protocol=PROTOCOL)
        return write_if_changed(path, with_old_name(data))
    return write_pickled(path, checked)


@overload
def read_pkl(path: Path) -> NDArray[Any]: ...


@overload
def read_pkl(path: Path, modality: str) -> Frames: ...


def read_pkl(path: Path, modality: str = SILHOUETTES) -> Frames:
    """The frames in a pkl from anywhere; nothing in it can be executed.

    Args:
        path: the pkl.
        modality: what its frames are, a name in `gait.modalities`.

    Returns:
        An array as the modality has it, silhouettes uint8 [s, h, w]; of a ragged modality,
        whether the file has a list or an array, ragged frames of one type.

    Raises:
        DataError: the file is missing, cut short, is no pickle, refers to anything but NumPy
            arrays, holds another type or shape than the modality has, a frame without a row, or
            what is not finite.
    """
    return frames_of(_content(path, modality), path, modality)


def frames_of(data: bytes, source: Path, modality: str) -> Frames:
    """The frames in the content of a pkl, wherever it lies; see `read_pkl`.

    Args:
        data: the content.
        source: what to call it in messages.
        modality: what its frames are, a name in `gait.modalities`.

    Raises:
        DataError: as `read_pkl`.
    """
    return _checked(source, _unpickled(data, source, modality), modality)


def read_unnamed(path: Path, expected: str, alone: bool = True) -> tuple[str, Frames] | None:
    """The frames in a pkl whose name does not say what they are, see `read_pkl`.

    Args:
        path: the pkl.
        expected: what they are if they may be, whatever else they may be as well.
        alone: whether they have to be something; otherwise None where it cannot be told.

    Returns:
        The modality, `expected` or the only one that fits, and frames as it has them.

    Raises:
        DataError: as `read_pkl`, or it cannot be told which modality this is.
    """
    content = _unpickled(_content(path, expected), path, expected)
    fit = _fitting(content)
    if expected in fit or (alone and not fit):
        return expected, _checked(path, content, expected)
    if len(fit) == 1:
        return fit[0], _checked(path, content, fit[0])
    if not alone:
        return None
    assert isinstance(content, np.ndarray)
    raise DataError(
        f"{path}: {content.dtype} {list(content.shape)} may be {', '.join(fit)}; name the file "
        f"{path.parent.name}-<modality>.pkl, or say what it is by `pkl` in dataset.yaml"
    )


def digest_of(frames: Frames) -> str:
    """SHA-256 of the bytes of an array; of ragged frames, of all rows and then of their numbers.

    Rows are those of a `Ragged` as `read_pkl` gives it, numbers int64, little-endian.
    """
    if isinstance(frames, Ragged):
        digest = hashlib.sha256(frames.rows.data)
        digest.update(frames.counts.astype("<i8").data)
    else:
        digest = hashlib.sha256(frames.data)
    return digest.hexdigest()


def _content(path: Path, modality: str) -> bytes:
    try:
        FILE_BYTES.check(path.stat().st_size, path, "a pkl")
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: expected the pickled {modality} of a sequence, "
            f"but it cannot be read ({error.strerror})"
        ) from None


def _unpickled(data: bytes, source: Path, modality: str) -> object:
    """What a pkl holds, arrays or what Python's literals can say."""
    try:
        return as_here(unpickled(data, source), modality)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"{source}: expected a pickled array of {modality}, got {len(data)} bytes that are "
            f"cut short or no pickle ({shown(error)}); restore the file, or delete it where it "
            "was made from raw files, to have it made again"
        ) from None


def _fitting(content: Any) -> list[str]:
    """The modalities that what a pkl holds may be, as far as type and shape tell."""
    if _is_listed(content):
        first = next(iter(content), None)
        ragged = [each for each in MODALITIES.values() if each.is_ragged]
        return [each.name for each in ragged if not _flaw_of_array(first, each, is_frame=True)]
    return fitting(content.dtype.name, content.shape) if isinstance(content, np.ndarray) else []


def _is_listed(content: Any) -> bool:
    """Whether these are frames one by one: a list, an array of arrays, or ragged ones."""
    is_array_of_arrays = isinstance(content, np.ndarray) and content.dtype.kind == "O"
    return is_array_of_arrays or isinstance(content, list | Ragged)


def _checked(path: Path, content: Any, modality: str) -> Frames:
    """The frames, contiguous, if they are what a pkl of that modality may hold."""
    expected = MODALITIES[modality]
    if flaw := _flaw(content, expected):
        remedy = ""
        if expected.is_ragged:
            remedy = (
                "; keep the columns x, y and z alone, and leave a frame without points out of "
                "every modality of the sequence"
            )
        raise DataError(f"{path}: expected {expected} with at least one frame, got {flaw}{remedy}")
    if not expected.is_ragged:
        return np.ascontiguousarray(content, content.dtype.newbyteorder("="))
    frames = content.gathered() if isinstance(content, Ragged) else Ragged.of(content)
    return frames.astype(frames.dtype.newbyteorder("="))


def _flaw(content: Any, expected: Modality) -> str:
    """What keeps this from being frames of that modality; empty if nothing does."""
    if not (expected.is_ragged and _is_listed(content)):
        return _flaw_of_array(content, expected)
    for number, each in enumerate(content.split() if isinstance(content, Ragged) else content):
        if flaw := _flaw_of_array(each, expected, is_frame=True):
            return f"{flaw} as frame {number}"
    return "" if len(content) else "an empty list"


def _flaw_of_array(content: object, expected: Modality, is_frame: bool = False) -> str:
    if not isinstance(content, np.ndarray):
        return type(content).__name__
    shape = (1, *content.shape) if is_frame else content.shape
    if not content.size or not expected.fits(content.dtype.name, shape):
        return f"{content.dtype} {list(content.shape)}"
    if content.dtype.kind == "f":
        if not np.isfinite(content).all():
            return "numbers that are not finite"
        if content.dtype.itemsize > 4 and np.abs(content).max() > _LARGEST:
            return "numbers that float32 has no room for"
    return ""
