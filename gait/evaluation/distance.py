"""Part-wise distances between sequence embeddings, streamed in blocks of probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gait.progress import Progress

Metric = Literal["euclidean", "cosine"]
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

# Memory of one block of distances; the embeddings read for it come to less.
BLOCK_BYTES = 1 << 28
_MOST_PROBES = 2048
# Squared distances of one part to so many gallery sequences stay in the processor's cache.
_TILE = 1024


def part_distance(probe: Floats, gallery: Floats, metric: Metric = "euclidean") -> Floats:
    """Distances between all pairs of embeddings; lower is closer.

    'euclidean' is the mean over parts of the Euclidean distance over channels. 'cosine' is one
    minus the mean over parts of the dot product of the vectors normalised over channels; a zero
    vector stays zero. Neither is a distance of flattened embeddings. Results are exact to float32
    rounding, whose last bit may depend on an embedding's place and the number of threads.

    Args:
        probe: embeddings [n, c, p].
        gallery: embeddings [m, c, p], same c and p.

    Returns:
        Distances [n, m].

    Raises:
        ValueError: c or p differ; the message gives both shapes.
    """
    if probe.ndim != 3 or probe.shape[1:] != gallery.shape[1:]:
        raise ValueError(
            f"expected probe and gallery embeddings [n, c, p] of the same c and p, "
            f"got {probe.shape} and {gallery.shape}"
        )
    embeddings = np.concatenate([probe, gallery]).astype(np.float32, copy=False)
    numbers = np.arange(len(embeddings))
    blocks = distance_blocks(embeddings, numbers[: len(probe)], numbers[len(probe) :], metric)
    whole = np.empty((len(probe), len(gallery)), np.float32)
    for rows, block in blocks:
        whole[rows] = block
    return whole


def distance_blocks(
    embeddings: Floats,
    probes: Indices,
    gallery: Indices,
    metric: Metric = "euclidean",
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[slice, Floats]]:
    """Distances of `probes` to the whole `gallery`, some probes at a time.

    Memory does not grow with the number of probes, and `embeddings` may be a memory map: only
    the rows at hand are read.

    Args:
        embeddings: all sequences [n, c, p], float32.
        probes: rows of `embeddings` to identify.
        gallery: rows of `embeddings` to compare them with.
        block_bytes: upper bound of one block of distances; a block holds at least one probe.

    Yields:
        The place of the block among `probes`, and its distances [b, m]. The array is used again
        for the next block.
    """
    most = min(_MOST_PROBES, max(1, block_bytes // max(1, 4 * len(gallery))), max(1, len(probes)))
    block = np.empty((most, len(gallery)), np.float32)
    fill = _fill_euclidean if metric == "euclidean" else _fill_cosine
    progress = Progress("comparing with the gallery", len(probes), "probes")
    for start in range(0, len(probes), most):
        chosen = probes[start : start + most]
        distance = block[: len(chosen)]
        fill(embeddings, chosen, gallery, distance)
        yield slice(start, start + len(chosen)), distance
        progress.advance(len(chosen))


def _fill_euclidean(
    embeddings: Floats, probes: Indices, gallery: Indices, distance: Floats
) -> None:
    left = _by_part(embeddings[probes])
    # |x|^2 + |y|^2 - 2xy as one matrix product: [x, |x|^2, 1] . [-2y, 1, |y|^2].
    left = np.concatenate([left, _squared_norms(left), np.ones_like(left[..., :1])], axis=2)
    parts = len(left)
    buffer = np.empty((len(probes), min(_TILE, len(gallery))), np.float32)
    for start in range(0, len(gallery), _TILE):
        right = _by_part(embeddings[gallery[start : start + _TILE]])
        norms = _squared_norms(right)
        right *= -2
        right = np.concatenate([right, np.ones_like(norms), norms], axis=2)
        total = distance[:, start : start + _TILE]
        total[:] = 0
        squared = buffer[:, : total.shape[1]]
        for part in range(parts):
            np.matmul(left[part], right[part].T, out=squared)
            np.maximum(squared, 0, out=squared)
            np.sqrt(squared, out=squared)
            total += squared
        total /= parts


def _fill_cosine(embeddings: Floats, probes: Indices, gallery: Indices, distance: Floats) -> None:
    left = _normalised(embeddings[probes])
    for start in range(0, len(gallery), _TILE):
        right = _normalised(embeddings[gallery[start : start + _TILE]])
        total = distance[:, start : start + _TILE]
        # The sum over parts of dot products is the dot product of all parts laid end to end.
        np.matmul(left, right.T, out=total)
        total /= embeddings.shape[2]
        np.subtract(1, total, out=total)


def _by_part(embeddings: Floats) -> Floats:
    """[n, c, p] as contiguous [p, n, c]."""
    return np.ascontiguousarray(embeddings.transpose(2, 0, 1))


def _squared_norms(vectors: Floats) -> Floats:
    """[p, n, c] -> [p, n, 1]."""
    norms: Floats = np.einsum("pnc,pnc->pn", vectors, vectors)[..., np.newaxis]
    return norms


def _normalised(embeddings: Floats) -> Floats:
    """[n, c, p] -> [n, c * p], unit length over c in each part."""
    norms = np.sqrt(np.einsum("ncp,ncp->np", embeddings, embeddings))[:, np.newaxis]
    unit: Floats = embeddings / np.maximum(norms, 1e-12)
    return unit.reshape(len(unit), -1)
