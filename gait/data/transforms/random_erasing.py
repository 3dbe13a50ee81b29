"""Hides a rectangle of a walk."""

from __future__ import annotations

import numpy as np

from gait.data.transforms import Silhouettes, checked_probability

TRIES = 100


class RandomErasing:
    """Sets a random rectangle to 0, with a given probability.

    A rectangle that does not fit is drawn again, up to a hundred times; after that nothing is
    erased.

    Args:
        min_area, max_area: bounds of the rectangle's share of the frame's area.
        ratio: the rectangle's height over its width is drawn from `ratio` to 1 / `ratio`.
        per_frame: decides and draws for each frame by itself, instead of once for all frames.

    Source: Zhong et al., Random Erasing Data Augmentation, AAAI 2020, arXiv:1708.04896, alg. 1.
    """

    def __init__(
        self,
        probability: float = 0.5,
        min_area: float = 0.05,
        max_area: float = 0.2,
        ratio: float = 0.3,
        per_frame: bool = False,
    ) -> None:
        self.probability = checked_probability(self, probability)
        self.min_area = min_area
        self.max_area = max_area
        self.ratio = ratio
        self.per_frame = per_frame

    def __call__(self, frames: Silhouettes, rng: np.random.Generator) -> Silhouettes:
        s, h, w = frames.shape
        n = s if self.per_frame else 1
        erased = rng.random(n) < self.probability
        if not erased.any():
            return frames
        area = rng.uniform(self.min_area, self.max_area, (n, TRIES)) * h * w
        ratio = rng.uniform(self.ratio, 1 / self.ratio, (n, TRIES))
        heights = np.rint(np.sqrt(area * ratio)).astype(np.int64)
        widths = np.rint(np.sqrt(area / ratio)).astype(np.int64)
        fits = (heights < h) & (widths < w)
        first = fits.argmax(axis=1)[:, None]
        height = np.take_along_axis(heights, first, axis=1)
        width = np.take_along_axis(widths, first, axis=1)
        erased &= fits.any(axis=1)
        # Where nothing fits, `erased` is false and the place does not matter.
        top = rng.integers(np.maximum(h - height, 0), endpoint=True)
        left = rng.integers(np.maximum(w - width, 0), endpoint=True)
        y, x = np.arange(h), np.arange(w)
        rows = (y >= top) & (y < top + height) & erased[:, None]
        columns = (x >= left) & (x < left + width)
        kept = ~(rows[:, :, None] & columns[:, None, :])
        erased_frames: Silhouettes = frames * kept
        return erased_frames
