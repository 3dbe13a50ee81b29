"""Frames that differ in size from one to the next, as point clouds do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Frames of rows, each with a number of its own, in one array.

    Attributes:
        rows: [r, c], those of these frames and perhaps of others; a frame's own are consecutive.
        starts: the first row of each frame, int64 [s].
        counts: the number of rows of each frame, int64 [s].
    """

    rows: NDArray[Any]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, frames: Sequence[NDArray[Any]] | NDArray[Any]) -> Ragged:
        """Arrays [p, c], of one c, behind each other; there is at least one."""
        counts = np.array([len(each) for each in frames], np.int64)
        return cls(np.concatenate(frames), counts.cumsum() - counts, counts)

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, frames: NDArray[np.int64] | slice) -> Ragged:
        """Some of the frames, in any order and with repeats; no row is copied."""
        return Ragged(self.rows, self.starts[frames], self.counts[frames])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers in the rows."""
        return self.rows.dtype

    def astype(self, dtype: DTypeLike, copy: bool = True) -> Ragged:
        """The same with another type of numbers, as NumPy's arrays have it.

        Of rows that have to be copied, only the frames' own are.
        """
        if not copy and self.dtype == dtype:
            return self
        own = self.gathered()
        return Ragged(own.rows.astype(dtype, copy=False), own.starts, own.counts)

    def gathered(self) -> Ragged:
        """The same with no rows but those of the frames, one frame behind the other."""
        starts = self.counts.cumsum() - self.counts
        rows = np.repeat(self.starts - starts, self.counts) + np.arange(self.counts.sum())
        return Ragged(self.rows[rows], starts, self.counts)

    def split(self) -> list[NDArray[Any]]:
        """Views of the rows of each frame, [p, c]."""
        ends = self.starts + self.counts
        return [self.rows[start:end] for start, end in zip(self.starts, ends, strict=True)]


# Frames along the first axis, whatever they are.
Frames = NDArray[Any] | Ragged
