"""The interchange format: a modality of a sequence is one pickled array, read without trust."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import write_if_changed
from gait.modalities import MODALITIES, SILHOUETTES, fitting
from gait.prepare.unpickle import unpickled


def write_pkl(path: Path, frames: NDArray[Any], modality: str = SILHOUETTES) -> bool:
    """Write the frames of a sequence, readable by a plain `pickle.load`.

    A file that already holds exactly this is left alone, with its modification time.

    Args:
        path: the pkl; its folder is made, and it is replaced in one step.
        frames: an array as the modality has it, silhouettes uint8 [s, h, w]; no size is 0.
        modality: what the frames are, a name in `gait.modalities`.

    Returns:
        Whether the file was written.

    Raises:
        DataError: another type or shape, or the file cannot be written.
    """
    return write_if_changed(path, _pickled(_checked(path, frames, modality)))


def read_pkl(path: Path, modality: str = SILHOUETTES) -> NDArray[Any]:
    """The frames in a pkl from anywhere; nothing in it can be executed.

    Args:
        path: the pkl.
        modality: what its frames are, a name in `gait.modalities`.

    Returns:
        An array as the modality has it, silhouettes uint8 [s, h, w].

    Raises:
        DataError: the file is missing, cut short, is no pickle, refers to anything but NumPy
            arrays, holds another type or shape than the modality has, or what is not finite.
    """
    return frames_of(_content(path, modality), path, modality)


def frames_of(data: bytes, source: Path, modality: str = SILHOUETTES) -> NDArray[Any]:
    """The frames in the content of a pkl, wherever it lies; see `read_pkl`.

    Args:
        data: the content.
        source: what to call it in messages.
        modality: what its frames are, a name in `gait.modalities`.

    Raises:
        DataError: as `read_pkl`.
    """
    return _checked(source, _unpickled(data, source, modality), modality)


def read_unnamed(path: Path, expected: str, alone: bool = True) -> tuple[str, NDArray[Any]] | None:
    """The frames in a pkl whose name does not say what they are, see `read_pkl`.

    Args:
        path: the pkl.
        expected: what they are if they may be, whatever else they may be as well.
        alone: whether they have to be something; otherwise None where it cannot be told.

    Returns:
        The modality, `expected` or the only one that fits, and an array as it has it.

    Raises:
        DataError: as `read_pkl`, or it cannot be told which modality this is.
    """
    content = _unpickled(_content(path, expected), path, expected)
    fit: list[str] = []
    if isinstance(content, np.ndarray):
        fit = fitting(content.dtype.name, content.shape)
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


def _content(path: Path, modality: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: expected the pickled {modality} of a sequence, "
            f"but it cannot be read ({error.strerror})"
        ) from None


def _unpickled(data: bytes, source: Path, modality: str) -> object:
    """What a pkl holds, arrays or what Python's literals can say."""
    try:
        return unpickled(data, source)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"{source}: expected a pickled array of {modality}, got {len(data)} bytes that are "
            f"cut short or no pickle ({error}); restore the file, or delete it to have it made "
            "again"
        ) from None


def _pickled(frames: NDArray[Any]) -> bytes:
    """A pickle that every NumPy reads: NumPy 2 knows the name that 1 gives its core, too."""
    # Protocol 3, as later ones state lengths that another name would make wrong.
    data = pickle.dumps(frames, protocol=3)
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def _checked(path: Path, frames: object, modality: str) -> NDArray[Any]:
    """`frames` as a contiguous array, if they are what a pkl of that modality may hold."""
    expected = MODALITIES[modality]
    if not isinstance(frames, np.ndarray):
        found = type(frames).__name__
    elif not frames.size or not expected.fits(frames.dtype.name, frames.shape):
        found = f"{frames.dtype} {list(frames.shape)}"
    elif frames.dtype.kind == "f" and not np.isfinite(frames).all():
        found = "numbers that are not finite"
    else:
        return np.ascontiguousarray(frames, frames.dtype.newbyteorder("="))
    remedy = ""
    if "p" in expected.frame_shape:
        remedy = "; draw as many points from each frame's cloud, so that they are one array"
    raise DataError(f"{path}: expected {expected} with at least one frame, got {found}{remedy}")
