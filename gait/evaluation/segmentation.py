"""How well silhouettes are segmented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_iou(predicted: NDArray[np.bool_], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Intersection over union of each frame; one where neither holds anything.

    Args:
        predicted: [n, ...], foreground as a model sees it.
        mask: the foreground, same shape.

    Returns:
        Shares [n], 0 to 1.

    Raises:
        ValueError: the shapes differ; the message gives both.
    """
    if predicted.shape != mask.shape:
        raise ValueError(f"expected masks of one shape, got {predicted.shape} and {mask.shape}")
    pixels = tuple(range(1, mask.ndim))
    intersection = (predicted & mask).sum(axis=pixels)
    union = (predicted | mask).sum(axis=pixels)
    return np.where(union > 0, intersection / np.maximum(union, 1), 1).astype(np.float32)
