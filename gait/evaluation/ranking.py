"""Where the right subject stands among the gallery, probe by probe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

# A row is sorted as 64-bit keys; so many at a time stay in the processor's cache.
_KEYS_AT_ONCE = 1 << 17
# Above every distance, and even: it never reads as a match.
_EXCLUDED = np.uint64(0xFFFFFFFFFFFFFFFE)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The outcome of each probe of a block, all arrays [b].

    Attributes:
        first: rank of the nearest gallery sequence of the probe's subject, counted from 1; 0 for
            a probe without one.
        average_precision: mean, over the sequences of the probe's subject, of the share of that
            subject up to the rank of each; 0 without one.
        inverse_penalty: number of sequences of the probe's subject by the rank of the farthest of
            them (Ye et al., Deep Learning for Person Re-identification, TPAMI 2021); 0 without
            one.
        compared: number of gallery sequences that were not excluded.
    """

    first: NDArray[np.int32]
    average_precision: NDArray[np.float64]
    inverse_penalty: NDArray[np.float64]
    compared: NDArray[np.int32]


def rank(distance: NDArray[np.float32], match: Bools, excluded: Bools | None = None) -> Ranking:
    """Rank the gallery of each probe by distance.

    Equal distances rank in gallery order, whichever of them is the match.

    Args:
        distance: [b, m], finite.
        match: [b, m], whether the gallery sequence is of the probe's subject.
        excluded: [b, m], gallery sequences that are not compared with the probe, matches or not.
    """
    size, width = distance.shape
    if excluded is None:
        compared = np.full(size, width, np.int32)
    else:
        match = match & ~excluded
        compared = width - excluded.sum(axis=1, dtype=np.int32)
    matches = match.sum(axis=1, dtype=np.int64)
    first = np.zeros(size, np.int32)
    precision = np.zeros(size)
    penalty = np.zeros(size)
    step = max(1, _KEYS_AT_ONCE // max(1, width))
    for start in range(0, size, step):
        rows = slice(start, start + step)
        keys = _keys(distance[rows], match[rows])
        if excluded is not None:
            keys[excluded[rows]] = _EXCLUDED
        keys.sort(axis=1)
        probe, place = np.nonzero((keys & np.uint64(1)).astype(bool))
        number = matches[rows]
        # Matches of a probe follow one another; each gets its number among them.
        begin = np.cumsum(number) - number
        nth = np.arange(len(probe)) - begin[probe] + 1
        shares = np.bincount(probe, nth / (place + 1), minlength=len(number))
        found = number > 0
        first[rows][found] = place[begin[found]] + 1
        last = place[begin[found] + number[found] - 1] + 1
        precision[rows][found] = shares[found] / number[found]
        penalty[rows][found] = number[found] / last
    return Ranking(first, precision, penalty, compared)


def ordered(distance: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Integers of the same order as distances, and equal for those that are equal."""
    # Adding zero makes a negative zero positive: both are the same distance.
    bits = (distance + np.float32(0)).view(np.uint32)
    sign = np.uint32(0x80000000)
    return np.where(bits & sign, ~bits, bits | sign)


def _keys(distance: NDArray[np.float32], match: Bools) -> NDArray[np.uint64]:
    """Integers that sort by distance, then by gallery order; the lowest bit tells a match."""
    order = np.arange(distance.shape[1], dtype=np.uint64) << np.uint64(1)
    keys: NDArray[np.uint64] = ordered(distance).astype(np.uint64) << np.uint64(32)
    keys |= order
    keys |= match
    return keys
