"""Cutting and augmentation of silhouettes; one file each, found through the registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gait.errors import ConfigError, DataError

Silhouettes = npt.NDArray[np.uint8]


class Transform(Protocol):
    """What a file of this folder defines, with its parameters in the constructor."""

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        """One sequence, uint8 [s, h, w], to one of as many frames, uint8 [s, h, w'].

        All randomness comes from `rng`, in the same draw for all frames unless the transform
        says otherwise. `frames` may be read-only and is never written to; the result may be a
        view of it.
        """
        ...


def apply(
    transforms: Iterable[Transform], frames: Silhouettes, rng: np.random.Generator
) -> Silhouettes:
    """`frames` through all of `transforms`, one after the other."""
    for transform in transforms:
        frames = transform(frames, rng)
    return frames


def output_size(transforms: Iterable[Transform], height_px: int, width_px: int) -> tuple[int, int]:
    """Height and width that frames have after `transforms`.

    Raises:
        DataError: the result is not uint8 [s, h, w] with as many frames as were given.
    """
    result = apply(
        transforms, np.zeros((2, height_px, width_px), dtype=np.uint8), np.random.default_rng(0)
    )
    if result.dtype != np.uint8 or result.ndim != 3 or len(result) != 2:
        raise DataError(
            f"the transforms turned uint8 [2, {height_px}, {width_px}] into {result.dtype} "
            f"{list(result.shape)}, expected uint8 [2, h, w]; change `transforms` of the "
            "experiment"
        )
    return int(result.shape[1]), int(result.shape[2])


def checked_probability(owner: object, probability: float) -> float:
    """`probability`, if it is one.

    Raises:
        ConfigError: it is not within 0 and 1.
    """
    if not 0 <= probability <= 1:
        raise ConfigError(
            f"{type(owner).__name__}.probability is {probability}, expected a number from 0 to 1; "
            "change it under `transforms` of the experiment"
        )
    return probability
