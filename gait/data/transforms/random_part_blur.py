"""Smooths the outline of a band of the body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gait.data.transforms import Silhouettes, checked_probability
from gait.data.transforms._bands import Band

# The kernel 1 2 1 in both directions sums to 16; grey above a fifth of white becomes white.
_THRESHOLD = 0.2 * 255 * 16


class RandomPartBlur:
    """Blurs a band of rows of all frames and makes it black and white again.

    Args:
        top: first row of the band, drawn from this range, both ends included.
        bottom: row after its last one, likewise.

    Source: Fan et al., Learning Gait Representation from Massive Unlabelled Walking Videos,
    TPAMI 2023, arXiv 2206.13964, section 4.1.
    """

    def __init__(
        self,
        probability: float = 0.5,
        top: Sequence[int] = (9, 20),
        bottom: Sequence[int] = (29, 40),
    ) -> None:
        self.probability = checked_probability(self, probability)
        self.band = Band(self, top, bottom)

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        if rng.random() >= self.probability:
            return frames
        rows = self.band.draw(frames, rng)
        part = np.pad(frames[:, rows].astype(np.uint16), ((0, 0), (1, 1), (1, 1)), "reflect")
        part = part[:, :-2] + 2 * part[:, 1:-1] + part[:, 2:]
        part = part[..., :-2] + 2 * part[..., 1:-1] + part[..., 2:]
        result = frames.copy()
        result[:, rows] = np.where(part > _THRESHOLD, 255, 0)
        return result
