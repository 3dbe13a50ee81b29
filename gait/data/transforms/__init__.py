"""Cutting and augmentation of sequences; one file each, found through the registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gait.errors import ConfigError
from gait.ragged import Ragged

Frames = npt.NDArray[Any]
Silhouettes = npt.NDArray[np.uint8]


class Transform(Protocol):
    """What a file of this folder defines, with its parameters in the constructor."""

    def __call__(self, frames: Any, rng: np.random.Generator) -> Frames:
        """One sequence [s, ...] to one of as many frames.

        Transforms of images take uint8 [s, h, w], those of poses float32 [s, v, c], those of point
        clouds float32 [s, points, c]. The first one of ragged frames, such as clouds are, takes
        these, which the annotation has to say, and makes them even.

        All randomness comes from `rng`, in the same draw for all frames unless the transform
        says otherwise. `frames` may be read-only and is never written to; the result may be a
        view of it.
        """
        ...


def apply(
    transforms: Iterable[Transform], frames: Frames | Ragged, rng: np.random.Generator
) -> Frames:
    """`frames` through all of `transforms`, one after the other.

    The channels of images [s, c, h, w] are treated alike, as frames beside each other.
    """
    if isinstance(frames, np.ndarray) and frames.ndim == 4 and frames.dtype == np.uint8:
        folded = frames.reshape(-1, *frames.shape[2:])
        result = apply(transforms, folded, rng)
        return result.reshape(*frames.shape[:2], *result.shape[1:])
    for transform in transforms:
        frames = transform(frames, rng)
    assert isinstance(frames, np.ndarray), "an experiment's transforms make ragged frames even"
    return frames


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
