"""Writes down whom the gallery takes each probe for, where only others can tell who it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.config.protocol import Submission
from gait.errors import DataError
from gait.evaluation.distance import Floats, Indices, Metric, distance_blocks
from gait.evaluation.protocols import Sequences, absent, described
from gait.evaluation.ranking import ordered
from gait.evaluation.rerank import rerank
from gait.formats.tables import table_text

# The view of sequences that have but one; their condition tells them apart.
_ONLY_VIEW = "default"
# Distances are sorted as 64-bit keys, so many at a time.
_KEYS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class SubmissionScore:
    """A file to be scored by others.

    Attributes:
        lines: of the file, the header first; none without probes.
        n_probe: probes, each a line.
        n_gallery: sequences of the gallery.
        note: what the lines lack; else an empty text.
    """

    lines: list[str]
    n_probe: int
    n_gallery: int
    note: str


def select_parts(name: str, protocol: Submission, sequences: Sequences) -> tuple[Indices, Indices]:
    """Rows of the probes, of which there may be none yet, and of the gallery.

    Raises:
        DataError: there is no gallery.
    """
    gallery = sequences.select(protocol.gallery)
    if not len(gallery):
        raise absent(name, "gallery", [protocol.gallery], sequences)
    return sequences.select(protocol.probes), gallery


def submission(
    name: str,
    protocol: Submission,
    embeddings: Floats,
    sequences: Sequences,
    probes: Indices,
    gallery: Indices,
    metric: Metric,
) -> SubmissionScore:
    """Rank the gallery for each probe, and write down the nearest.

    Equal distances rank in gallery order. A gallery that is smaller than the number of ranks
    leaves the last columns empty. Without probes there are no lines, and a note says so.

    Args:
        name: the protocol's, for messages.
        probes: rows of `embeddings`; as is `gallery`.

    Raises:
        DataError: two probes have the same name, or a subject's name is to be a number and is
            none.
    """
    if not len(probes):
        return SubmissionScore(
            [], 0, len(gallery), f"no sequence with {described(protocol.probes)}"
        )
    videos, labels = names_of(name, protocol, sequences, probes, gallery)
    ranks = len(protocol.columns) - 1
    depth = min(ranks, len(gallery))
    ranked = np.empty((len(probes), depth), np.intp)
    if protocol.rerank:
        ranked[:] = nearest_of_gallery(_reranked(embeddings, probes, gallery, metric), depth)
    else:
        for rows, distance in distance_blocks(embeddings, probes, gallery, metric):
            ranked[rows] = nearest_of_gallery(distance, depth)
    padding = [""] * (ranks - depth)
    lines = zip(videos, labels[ranked].tolist(), strict=True)
    text = table_text(protocol.columns, ([video, *names, *padding] for video, names in lines))
    note = ""
    if padding:
        note = (
            f"the gallery holds {len(gallery)} sequences, fewer than the {ranks} ranks of a line"
        )
    return SubmissionScore(text.removesuffix("\n").split("\n"), len(probes), len(gallery), note)


def names_of(
    name: str, protocol: Submission, sequences: Sequences, probes: Indices, gallery: Indices
) -> tuple[list[str], NDArray[np.str_]]:
    """What the lines of probes are called, and how the gallery's subjects are written.

    Raises:
        DataError: as `submission`.
    """
    return _videos(name, sequences, probes), _labels(name, protocol, sequences, gallery)


def nearest_of_gallery(distance: Floats, depth: int) -> Indices:
    """Columns of the `depth` smallest distances of each row, [m, n] -> [m, depth], in order."""
    found = np.empty((len(distance), depth), np.intp)
    order = np.arange(distance.shape[1], dtype=np.uint64)
    step = max(1, _KEYS_AT_ONCE // distance.shape[1])
    for start in range(0, len(distance), step):
        rows = slice(start, start + step)
        keys = ordered(distance[rows]).astype(np.uint64) << np.uint64(32)
        keys |= order
        keys = np.partition(keys, depth - 1, axis=1)[:, :depth]
        keys.sort(axis=1)
        found[rows] = keys & np.uint64(0xFFFFFFFF)
    return found


def _reranked(embeddings: Floats, probes: Indices, gallery: Indices, metric: Metric) -> Floats:
    rows = np.concatenate([probes, gallery])
    distance = np.empty((len(rows), len(rows)), np.float32)
    for block, values in distance_blocks(embeddings, rows, rows, metric):
        distance[block] = values
    return rerank(distance, len(probes))


def _videos(name: str, sequences: Sequences, probes: Indices) -> list[str]:
    """What the lines of probes are called."""
    views = np.array(sequences.views)[sequences.view[probes]]
    videos: list[str] = np.where(views == _ONLY_VIEW, sequences.condition[probes], views).tolist()
    twice = [video for video, number in Counter(videos).items() if number > 1]
    if twice:
        raise DataError(
            f"protocol {name}: several probes are called {twice[0]}; expected each probe's view, "
            f"or its condition where the view is {_ONLY_VIEW!r}, to be its own; rename the "
            "folders of the probes"
        )
    return videos


def _labels(
    name: str, protocol: Submission, sequences: Sequences, gallery: Indices
) -> NDArray[np.str_]:
    """How the subject of each gallery sequence is written."""
    written = {}
    for subject in np.unique(sequences.subject[gallery]).tolist():
        label = sequences.subjects[subject]
        if protocol.labels == "number":
            if not label.isdecimal():
                raise DataError(
                    f"protocol {name}: expected subjects of the gallery that are numbers, got "
                    f"{label!r}; change gallery or labels in dataset.yaml"
                )
            label = str(int(label))
        written[subject] = label
    return np.array([written[each] for each in sequences.subject[gallery].tolist()])
