"""Body models of a walker: the .npz files of Gait3D, read without running anything in them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.arrays import BROKEN, opened, read_header, read_member
from gait.formats.axis_order import numbers_of
from gait.formats.pickles.arrays import unpickled
from gait.screen import shown

# The numbers of a frame in their order: the camera, how each joint is turned, the build.
PARTS = {"cam": 3, "poses": 72, "betas": 10}

_MEMBER = "results"
# All that an estimator says of a person is less than a hundredth of this.
_LARGEST_BYTES = 64 * 2**20
# As of every modality: what float32 has room for.
_LARGEST = float(np.finfo(np.float32).max)
_EXPECTED = "an .npz file whose 'results' hold cam, poses and betas of the first person"


def read_smpl(data: bytes, name: str) -> NDArray[np.floating]:
    """The body of the first person in a frame: 85 real numbers, of the type that the file has.

    The file's `results` are a pickle, of which arrays and Python's own values are admitted, and
    nothing else.

    Args:
        data: the file.
        name: what to call it in messages.

    Raises:
        DataError: it is no such file, asks for anything to be run, or holds other numbers.

    Source: Zheng et al., "Gait Recognition in the Wild with Dense 3D Representations and A
    Benchmark", CVPR 2022, arXiv 2204.02569; Loper et al., "SMPL: A Skinned Multi-Person Linear
    Model", ACM Transactions on Graphics 2015.
    """
    try:
        # In an array there is a list of people, or a table of them by number.
        person = _results(data, name)[0]
        parts = [numbers_of(person[part]).ravel() for part in PARTS]
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(
            f"{name}: expected {_EXPECTED}, got a file that cannot be read as such "
            f"({type(error).__name__}: {shown(error)}); copy it again or remove it"
        ) from None
    for (part, size), numbers in zip(PARTS.items(), parts, strict=True):
        is_real = numbers.dtype.kind == "f" and len(numbers) == size
        if not is_real or not (np.abs(numbers.astype(np.float64)) <= _LARGEST).all():
            raise DataError(
                f"{name}: expected {size} finite real numbers in {part}, got {len(numbers)} of "
                f"{numbers.dtype}, or some that are not finite; remove that file"
            )
    return np.concatenate(parts)


def _results(data: bytes, name: str) -> Any:
    """What is named 'results', of Python's objects."""
    with opened(io.BytesIO(data), name) as archive:
        content = read_member(archive, _MEMBER, _LARGEST_BYTES)
    header = read_header(content)
    if not header.dtype.hasobject:
        raise ValueError(f"results are {header.dtype.str}")
    return unpickled(content[header.size :].tobytes(), name)
