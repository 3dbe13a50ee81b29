"""Applies a protocol: who is gallery, who is probe, who is compared with whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gait.config.protocol import Retrieval, Selection, matches
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
        chosen &= _matching(self.subjects, selection.subject)[self.subject]
        if selection.sequences is not None:
            listed = set(selection.sequences)
            chosen &= np.array([key in listed for key in self.keys()], bool)
        return np.flatnonzero(chosen)

    def keys(self) -> list[str]:
        """`<subject>/<condition>/<view>` of each sequence."""
        names = zip(self.subject, self.condition.tolist(), self.view, strict=True)
        return [f"{self.subjects[i]}/{name}/{self.views[j]}" for i, name, j in names]

    def seen(self, view_part: str | None) -> Sequences:
        """The same with that part of each view's name that tells views apart in its place."""
        if view_part is None:
            return self
        parts = [
            view if (found := re.match(view_part, view)) is None else found[0]
            for view in self.views
        ]
        views, index = np.unique(parts, return_inverse=True)
        return replace(self, views=views.tolist(), view=index[self.view])


@dataclass(frozen=True, slots=True)
class Selected:
    """A gallery and the probes that are compared with it.

    Attributes:
        gallery: rows of the gallery, by group, in the order of the embeddings within a group.
        starts: where each group begins in `gallery`, and where the last one ends.
        groups: name of each group: a view, or 'all'.
        probes: rows of all probes, each once, in the order of the embeddings.
        members: for each probe row of the table, the places of its sequences in `probes`.
        notes: for each of those rows why it is empty, or what it lacks; else an empty text.
    """

    gallery: Indices
    starts: list[int]
    groups: list[str]
    probes: Indices
    members: dict[str, Indices]
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcome of each probe in each group of the gallery; arrays [probes, groups].

    See `gait.evaluation.ranking.Ranking` for the meaning of the arrays.
    """

    first: NDArray[np.int32]
    average_precision: NDArray[np.float64]
    inverse_penalty: NDArray[np.float64]
    compared: NDArray[np.bool_]


def select(name: str, protocol: Retrieval, sequences: Sequences) -> list[Selected]:
    """Each gallery, cut into the groups that are ranked apart, with its probes.

    Raises:
        DataError: a gallery, or all probes, are missing; the message names what is there.
    """
    rows = {probe: sequences.select(chosen) for probe, chosen in protocol.probes.items()}
    galleries: list[Selection] = []
    place = {}
    for probe in rows:
        wanted = protocol.gallery_of(probe)
        if wanted not in galleries:
            galleries.append(wanted)
        place[probe] = galleries.index(wanted)
    enrolled = [sequences.select(each) for each in galleries]
    if protocol.shared == "probe":
        probes = np.concatenate(list(rows.values()))
        enrolled = [np.setdiff1d(each, probes) for each in enrolled]
    elif protocol.shared == "gallery":
        gallery = np.concatenate(enrolled)
        rows = {probe: np.setdiff1d(each, gallery) for probe, each in rows.items()}
    for number, wanted in enumerate(galleries):
        needed = any(len(rows[probe]) for probe in rows if place[probe] == number)
        if len(enrolled[number]) == 0 and (needed or len(galleries) == 1):
            raise absent(name, "gallery", [wanted], sequences)
    if not any(len(each) for each in rows.values()):
        raise absent(name, "probes", list(protocol.probes.values()), sequences)
    seen = sequences.seen(protocol.view_part)
    chosen = []
    for number, gallery in enumerate(enrolled):
        mine = {probe: each for probe, each in rows.items() if place[probe] == number}
        noted = {
            probe: _note(protocol, probe, sequences, len(each)) for probe, each in mine.items()
        }
        chosen.append(_grouped(protocol, seen, gallery, mine, noted))
    return chosen


def _grouped(
    protocol: Retrieval,
    sequences: Sequences,
    gallery: Indices,
    rows: dict[str, Indices],
    notes: dict[str, str],
) -> Selected:
    probes = np.unique(np.concatenate(list(rows.values())))
    groups, starts = ["all"], [0, len(gallery)]
    if protocol.cells == "view_pair":
        views = sequences.view[gallery]
        gallery = gallery[np.argsort(views, kind="stable")]
        present, counts = np.unique(views, return_counts=True)
        groups = [sequences.views[view] for view in present]
        starts = [0, *np.cumsum(counts).tolist()]
    members = {probe: np.searchsorted(probes, chosen) for probe, chosen in rows.items()}
    return Selected(gallery, starts, groups, probes, members, notes)


def compared_pairs(
    embeddings: Floats,
    sequences: Sequences,
    selected: Selected,
    protocol: Retrieval,
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
    protocol: Retrieval,
) -> Ranking:
    match, excluded = pairs(probes, gallery, sequences, protocol)
    return rank(distance, match, excluded if excluded.any() else None)


def pairs(
    probes: Indices, gallery: Indices, sequences: Sequences, protocol: Retrieval
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pairs [m, n] of probes and gallery are of one subject, and which are not compared."""
    match = sequences.subject[probes][:, np.newaxis] == sequences.subject[gallery]
    if protocol.exclude == "none":
        excluded = probes[:, np.newaxis] == gallery
    else:
        excluded = sequences.view[probes][:, np.newaxis] == sequences.view[gallery]
        if protocol.exclude == "same_subject_view":
            excluded &= match
    return match, excluded


def _matching(names: list[str], patterns: list[str] | None) -> NDArray[np.bool_]:
    return np.array([matches(name, patterns) for name in names], bool)


def absent(name: str, what: str, wanted: list[Selection], sequences: Sequences) -> DataError:
    """The error that a protocol's gallery or probes are missing; it names what is there."""
    conditions = np.unique(sequences.condition).tolist()
    return DataError(
        f"protocol {name}: none of the {len(sequences.subject)} test sequences is of the {what} "
        f"({' or '.join(described(each) for each in wanted)}); there are the conditions "
        f"{_few(conditions)} and the views {_few(sequences.views)}; change {what} in dataset.yaml"
    )


def described(selection: Selection) -> str:
    """A selection in words, for messages."""
    named = (
        ("subject", selection.subject),
        ("condition", selection.condition),
        ("view", selection.view),
        ("key", selection.sequences),
    )
    texts = [f"{what} {_few(given)}" for what, given in named if given is not None]
    return " with ".join(texts) or "any sequence"


def _note(protocol: Retrieval, probe: str, sequences: Sequences, number: int) -> str:
    """Why a row is empty, or which of the sequences that are listed for it are not there."""
    if number == 0:
        return f"no sequence with {described(protocol.probes[probe])}"
    notes = []
    for what, selection in (
        ("probes", protocol.probes[probe]),
        ("gallery", protocol.gallery_of(probe)),
    ):
        listed = selection.sequences or []
        if absent := sorted(set(listed) - set(sequences.keys())) if listed else []:
            lacking = f"{len(absent)} of the {len(listed)} sequences listed for the {what}"
            notes.append(f"{lacking} are not there: {_few(absent, 3)}")
    return "; ".join(notes)


def _few(names: list[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
