"""Re-ranks a gallery by the neighbours that probes and gallery have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gait.evaluation.distance import Floats, Indices

Bools = NDArray[np.bool_]

# Pairs of non-zero entries that are compared at a time.
_PAIRS_AT_ONCE = 1 << 22


def rerank(distance: Floats, probes: int, k1: int = 6, k2: int = 6, weight: float = 0.3) -> Floats:
    """Distances of probes to gallery that take common nearest neighbours into account.

    Two sequences are close when they are among each other's nearest and share such neighbours.
    Each sequence becomes a sparse vector over its mutual neighbours, smoothed over its nearest;
    vectors are compared by the Jaccard distance. Equal distances count in the order given.

    Args:
        distance: between all pairs of probes and gallery, probes first, [m + n, m + n].
        probes: how many of the rows are probes, m.
        k1: neighbours that may be mutual.
        k2: nearest neighbours, the sequence itself included, that a vector is averaged over.
        weight: share of the original distance, scaled to 1, in the result.

    Returns:
        Distances [m, n], lower is closer.

    Source: Zhong, Zheng, Cao & Li, Re-ranking Person Re-identification with k-reciprocal
    Encoding, CVPR 2017, arXiv 1701.08398.
    """
    scaled = (distance / np.maximum(distance.max(axis=0), np.finfo(np.float32).tiny)).T
    order = np.argsort(scaled, axis=1, kind="stable")
    vectors = _vectors(scaled, order, k1)
    if k2 > 1:
        near = order[:, :k2]
        vectors = sum(vectors[near[:, place]] for place in range(near.shape[1])) / near.shape[1]
    common = _common(vectors[:probes], vectors[probes:])
    jaccard = 1 - common / (2 - common)
    mixed: Floats = (1 - weight) * jaccard + weight * scaled[:probes, probes:]
    return mixed.astype(np.float32)


def _vectors(scaled: Floats, order: Indices, k1: int) -> Floats:
    """Each sequence by its mutual neighbours, exp(-distance) scaled to a sum of one, [n, n]."""
    near, mutual = _mutual(order, k1)
    half_near, half_mutual = _mutual(order, round(k1 / 2))
    # Neighbours of neighbours [n, k, h]: all of them join where most are mutual neighbours anyway.
    further, there = half_near[near], half_mutual[near]
    known = np.zeros(further.shape, bool)
    for place in range(near.shape[1]):
        same = further == near[:, place, np.newaxis, np.newaxis]
        known |= same & mutual[:, place, np.newaxis, np.newaxis]
    shared = (known & there).sum(axis=2)
    joins = mutual & (3 * shared > 2 * there.sum(axis=2))
    joined = there & joins[:, :, np.newaxis]
    vectors = np.zeros_like(scaled)
    for columns, chosen in ((near, mutual), (further, joined)):
        rows = np.broadcast_to(
            np.arange(len(scaled)).reshape(-1, *[1] * (columns.ndim - 1)), columns.shape
        )[chosen]
        vectors[rows, columns[chosen]] = np.exp(-scaled[rows, columns[chosen]])
    normalised: Floats = vectors / vectors.sum(axis=1, keepdims=True)
    return normalised


def _mutual(order: Indices, k: int) -> tuple[Indices, Bools]:
    """The nearest of each row, itself and k more, and which of them have the row among theirs."""
    near = order[:, : k + 1]
    here = np.arange(len(near))[:, np.newaxis, np.newaxis]
    return near, (near[near] == here).any(axis=2)


def _common(probes: Floats, gallery: Floats) -> Floats:
    """Sum over columns of the smaller value of each pair of rows, [m, n]; both are sparse."""
    column, row = np.nonzero(gallery.T)
    starts = np.searchsorted(column, np.arange(gallery.shape[1] + 1))
    probe, place = np.nonzero(probes)
    counts = (starts[1:] - starts[:-1])[place]
    total = np.zeros(len(probes) * len(gallery))
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(probe):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        number = counts[begin:end]
        left = np.repeat(np.arange(begin, end), number)
        inside = np.arange(len(left)) - np.repeat(np.cumsum(number) - number, number)
        right = starts[place[left]] + inside
        smaller = np.minimum(probes[probe[left], place[left]], gallery[row[right], column[right]])
        np.add.at(total, probe[left] * len(gallery) + row[right], smaller)
        begin = end
    return total.reshape(len(probes), len(gallery)).astype(np.float32)
