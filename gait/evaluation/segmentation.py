"""Scores models that tell which pixels show the walker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.evaluation.distance import Floats


@dataclass(frozen=True, slots=True)
class SegmentationScore:
    """How well silhouettes are found, in percent and unrounded.

    Attributes:
        miou_pct: intersection over union, as a mean over frames.
        n_sequences: sequences scored.
        n_frames: frames of all of them.
    """

    miou_pct: float
    n_sequences: int
    n_frames: int


def segmentation_score(
    name: str, overlaps: Floats, frames: NDArray[np.integer] | None
) -> SegmentationScore:
    """The mean over frames of the overlaps that a model gives as its embeddings.

    Args:
        name: the protocol's, for messages.
        overlaps: mean over the frames of each sequence, 0..1, [n, 1, 1].
        frames: how many these are, [n].

    Raises:
        DataError: the embeddings are no such shares, or the numbers of frames are not there.
    """
    if overlaps.shape[1:] != (1, 1) or overlaps.min() < 0 or overlaps.max() > 1:
        raise DataError(
            f"protocol {name}: expected one overlap in 0..1 of each sequence, got embeddings "
            f"{list(overlaps.shape)}; choose a model that segments"
        )
    if frames is None or len(frames) != len(overlaps):
        raise DataError(
            f"protocol {name}: expected the number of frames of each sequence beside the "
            f"embeddings, got {'none' if frames is None else len(frames)}; write them again with "
            "gait embed"
        )
    total = int(frames.sum())
    shares = overlaps[:, 0, 0].astype(np.float64)
    return SegmentationScore(float(100 * (shares @ frames) / total), len(frames), total)
