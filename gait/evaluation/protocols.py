"""Applies a protocol: who is gallery, who is probe, who is compared with whom."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from gait.config.dataset import Protocol, Selection
from gait.errors import DataError
from gait.evaluation.distance import Floats, Indices, Metric, distance_blocks
from gait.evaluation.ranking import Ranking, rank

Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Sequences:
    """What is known of the embedded sequences, in the order of the embeddings.

    Attributes:
        subject: index into `subjects` of each sequence, [n].
        view: index into `views` of each sequence, [n].
        condition: name of each sequence's condition, [n].
    """

    subjects: list[str]
    views: list[str]
    subject: Indices
    view: Indices
    condition: Texts

    @classmethod
    def of(cls, subject: Texts, condition: Texts, view: Texts) -> Sequences:
        """Sequences named by three arrays [n]."""
        subjects, subject_index = np.unique(subject, return_inverse=True)
        views, view_index = np.unique(view, return_inverse=True)
        return cls(subjects.tolist(), views.tolist(), subject_index, view_index, condition)

    def select(self, selection: Selection) -> Indices:
        """Rows of the sequences that a selection names, in order."""
        conditions, index = np.unique(self.condition, return_inverse=True)
        chosen = _matching(conditions.tolist(), selection.condition)[index]
        chosen &= _matching(self.views, selection.view)[self.view]
        return np.flatnonzero(chosen)


@dataclass(frozen=True, slots=True)
class Selected:
    """The sequences a protocol compares.

    Attributes:
        gallery: rows of the gallery, by group, in the order of the embeddings within a group.
        starts: where each group begins in `gallery`, and where the last one ends.
        groups: name of each group: a view, or 'all'.
        probes: rows of all probes, each once, in the order of the embeddings.
        members: for each probe row of the table, the places of its sequences in `probes`.
    """

    gallery: Indices
    starts: list[int]
    groups: list[str]
    probes: Indices
    members: dict[str, Indices]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcome of each probe in each group of the gallery; arrays [probes, groups].

    See `gait.evaluation.ranking.Ranking` for the meaning of the arrays.
    """

    first: NDArray[np.int32]
    average_precision: NDArray[np.float64]
    inverse_penalty: NDArray[np.float64]
    compared: NDArray[np.bool_]


def select(name: str, protocol: Protocol, sequences: Sequences) -> Selected:
    """The gallery, cut into the groups that are ranked apart, and the probes.

    Raises:
        DataError: the gallery, or all probes, are missing; the message names what is there.
    """
    gallery = sequences.select(protocol.gallery)
    rows = {probe: sequences.select(chosen) for probe, chosen in protocol.probes.items()}
    probes = np.unique(np.concatenate(list(rows.values())))
    if len(gallery) == 0:
        raise _absent(name, "gallery", [protocol.gallery], sequences)
    if len(probes) == 0:
        raise _absent(name, "probes", list(protocol.probes.values()), sequences)
    groups, starts = ["all"], [0, len(gallery)]
    if protocol.cells == "view_pair":
        views = sequences.view[gallery]
        gallery = gallery[np.argsort(views, kind="stable")]
        present, counts = np.unique(views, return_counts=True)
        groups = [sequences.views[view] for view in present]
        starts = [0, *np.cumsum(counts).tolist()]
    members = {probe: np.searchsorted(probes, chosen) for probe, chosen in rows.items()}
    return Selected(gallery, starts, groups, probes, members)


def compare(
    embeddings: Floats,
    sequences: Sequences,
    selected: Selected,
    protocol: Protocol,
    metric: Metric,
) -> Outcomes:
    """Rank every probe in every group; each distance is computed once, by blocks of probes."""
    shape = (len(selected.probes), len(selected.groups))
    outcomes = Outcomes(
        np.zeros(shape, np.int32), np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
    )
    for rows, distance in distance_blocks(embeddings, selected.probes, selected.gallery, metric):
        probes = selected.probes[rows]
        for group in range(len(selected.groups)):
            columns = slice(selected.starts[group], selected.starts[group + 1])
            ranking = _rank_group(
                distance[:, columns], probes, selected.gallery[columns], sequences, protocol
            )
            outcomes.first[rows, group] = ranking.first
            outcomes.average_precision[rows, group] = ranking.average_precision
            outcomes.inverse_penalty[rows, group] = ranking.inverse_penalty
            outcomes.compared[rows, group] = ranking.compared > 0
    return outcomes


def _rank_group(
    distance: Floats,
    probes: Indices,
    gallery: Indices,
    sequences: Sequences,
    protocol: Protocol,
) -> Ranking:
    match = sequences.subject[probes][:, np.newaxis] == sequences.subject[gallery]
    if protocol.exclude == "none":
        excluded = probes[:, np.newaxis] == gallery
    else:
        excluded = sequences.view[probes][:, np.newaxis] == sequences.view[gallery]
        if protocol.exclude == "same_subject_view":
            excluded &= match
    return rank(distance, match, excluded if excluded.any() else None)


def _matching(names: list[str], patterns: list[str] | None) -> NDArray[np.bool_]:
    """Which names match any of the patterns; all of them without patterns."""
    if patterns is None:
        return np.ones(len(names), bool)
    chosen = [any(fnmatchcase(name, each) for each in patterns) for name in names]
    return np.array(chosen, bool)


def _absent(name: str, what: str, wanted: list[Selection], sequences: Sequences) -> DataError:
    conditions = np.unique(sequences.condition).tolist()
    return DataError(
        f"protocol {name}: none of the {len(sequences.subject)} embedded sequences belongs to the "
        f"{what} ({' or '.join(described(each) for each in wanted)}); there are the conditions "
        f"{_few(conditions)} and the views {_few(sequences.views)}; change {what} in dataset.yaml"
    )


def described(selection: Selection) -> str:
    """A selection in words, for messages."""
    named = (("condition", selection.condition), ("view", selection.view))
    texts = [f"{what} {', '.join(given)}" for what, given in named if given is not None]
    return " with ".join(texts) or "any sequence"


def _few(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
