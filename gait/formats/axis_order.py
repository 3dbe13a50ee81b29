"""Converts arrays of other programs to our axis order and types."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.modalities import POSE, RGB

_CHANNELS = 3
# Those of colour frames, and one more.
_MOST_AXES = 5


def as_here(content: object, modality: str) -> object:
    """What a pkl of some modality holds, in the form that it has here; anything else as it is.

    Joints in lists, as JSON has them, become an array if there are as many in each frame; colours
    come before rows and columns instead of after them; and of height and width of a person's box
    there remains the ratio.

    Args:
        content: an array, or anything else.
        modality: what it is expected to be, a name in `gait.modalities`.
    """
    if modality == POSE and _is_nested(content):
        content = _stacked(content)
    if not isinstance(content, np.ndarray):
        return content
    shape = content.shape
    if modality == RGB and len(shape) == 4 and shape[1] != _CHANNELS == shape[3]:
        return content.transpose(0, 3, 1, 2)
    if modality == "ratio" and len(shape) == 2 and shape[1] == 2 and content.dtype.kind in "iuf":
        # A box without a height is reported as a number that is not finite.
        with np.errstate(divide="ignore", invalid="ignore"):
            return content[:, 1] / content[:, 0].astype(np.float64)
    return content


def numbers_of(content: object) -> NDArray[Any]:
    """Numbers, or arrays of them, in lists in lists, as an array; an array as it is.

    Raises:
        ValueError: it is something else, or not as many in each list.
    """
    level: list[Any] = [content]
    for _ in range(_MOST_AXES):
        if not level or not all(isinstance(each, list | tuple) for each in level):
            break
        level = list(chain.from_iterable(level))
    # Text would become an array with as much room for each as the longest takes.
    if not all(isinstance(each, bool | int | float | np.number | np.ndarray) for each in level):
        raise ValueError("expected numbers, or lists of them, got something else")
    return np.asarray(content)


def _is_nested(content: object) -> bool:
    return isinstance(content, list) and bool(content) and isinstance(content[0], list)


def _stacked(frames: Any) -> object:
    try:
        return numbers_of(frames)
    except ValueError:
        return frames
