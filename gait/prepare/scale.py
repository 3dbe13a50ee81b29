"""Scales silhouettes bicubically, to the same bytes on every processor."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The sharpness that OpenCV gives its cubic kernel, which the published arrays were made with.
_SHARPNESS = -0.75
# Weights are multiples of 2 ** -22: a pixel times two weights, and every sum of such products,
# then fits in the 53 bits of a float64. So nothing is rounded before the end, and the result
# depends neither on the order of summation nor on fused instructions or threads.
_WEIGHT_BITS = 22
# Pixels that a result depends on, along one axis.
_TAPS = 4


class _Taps(NamedTuple):
    """Source pixels of each result pixel along one axis: int64 and float64 [size, 4]."""

    places: NDArray[np.int64]
    weights: NDArray[np.float64]


def scale_columns(
    figure: NDArray[np.uint8], height_px: int, width_px: int
) -> tuple[NDArray[np.uint8], int]:
    """Scale an image to `height_px` x `width_px`; only columns with anything in them are made.

    As `cv2.resize` with INTER_CUBIC does it, whose own last bits differ from processor to
    processor: values beyond the border repeat it, results are rounded, halves to the even value.

    Args:
        figure: uint8 [h, w].
        height_px: rows of the result.
        width_px: columns of the whole result.

    Returns:
        The columns uint8 [height_px, m], and the place of the first of them in the whole result,
        which is zero elsewhere; m may be 0.
    """
    filled = np.flatnonzero(figure.any(axis=0))
    if not len(filled):
        return np.zeros((height_px, 0), np.uint8), 0
    first, end = int(filled[0]), int(filled[-1]) + 1
    start, across = _weights(_taps(figure.shape[1], width_px), first, end)
    _, down = _weights(_taps(figure.shape[0], height_px), 0, len(figure))
    scaled = down @ (figure[:, first:end].astype(np.float64) @ across.T)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.uint8), start


@lru_cache(maxsize=1024)
def _taps(source_px: int, target_px: int) -> _Taps:
    position = (np.arange(target_px) + 0.5) * (source_px / target_px) - 0.5
    nearest = np.floor(position)
    offsets = np.arange(_TAPS) - 1.0
    distance = np.abs((position - nearest)[:, None] - offsets)
    near = ((_SHARPNESS + 2.0) * distance - (_SHARPNESS + 3.0)) * distance**2 + 1.0
    far = _SHARPNESS * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
    weights = np.where(distance <= 1.0, near, far)
    places = (nearest[:, None] + offsets).astype(np.int64)
    return _Taps(
        places.clip(0, source_px - 1),
        np.ldexp(np.rint(np.ldexp(weights, _WEIGHT_BITS)), -_WEIGHT_BITS),
    )


def _weights(taps: _Taps, first: int, end: int) -> tuple[int, NDArray[np.float64]]:
    """The weights [m, end - first] of source pixels for those m result pixels that they reach.

    The number is that of the first result pixel.
    """
    start = int(np.searchsorted(taps.places[:, -1], first))
    stop = int(np.searchsorted(taps.places[:, 0], end))
    shape = stop - start, end - first + 2 * _TAPS
    places = taps.places[start:stop] - (first - _TAPS)
    places += np.arange(0, shape[0] * shape[1], shape[1])[:, None]
    # A sum, as two taps meet in one pixel at the border.
    weights: NDArray[np.float64] = np.bincount(
        places.ravel(), taps.weights[start:stop].ravel(), shape[0] * shape[1]
    ).astype(np.float64, copy=False)
    return start, weights.reshape(shape)[:, _TAPS:-_TAPS]


@lru_cache(maxsize=512)
def area_weights(source_px: int, target_px: int) -> NDArray[np.float64]:
    """How much of each source pixel lies in each target pixel, in whole parts, [target, source].

    A source pixel has `target_px` parts, so each row sums to `source_px`.
    """
    target, source = np.arange(target_px)[:, None], np.arange(source_px)
    first = np.maximum(target * source_px, source * target_px)
    end = np.minimum((target + 1) * source_px, (source + 1) * target_px)
    return np.asarray(np.maximum(end - first, 0), np.float64)
