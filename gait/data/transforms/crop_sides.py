"""Removes the empty columns beside a centred walker."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import Silhouettes
from gait.errors import ConfigError


class CropSides:
    """Cuts columns from the left and from the right.

    Args:
        columns: how many from each side; None for ten out of every 64 columns of width, which
            makes 44 columns of 64 and 88 of 128.
    """

    def __init__(self, columns: int | None = None) -> None:
        self.columns = columns

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        width = frames.shape[2]
        columns = width // 64 * 10 if self.columns is None else self.columns
        if not 0 <= 2 * columns < width:
            raise ConfigError(
                f"CropSides.columns is {columns}, but frames are {width} columns wide; cut fewer "
                "than half of them from each side, under `transforms` of the experiment"
            )
        return frames[:, :, columns : width - columns]
