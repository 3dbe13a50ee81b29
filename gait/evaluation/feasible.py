"""What a protocol can score of the sequences that are there, known before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gait.config.protocol import (
    Classification,
    Protocol,
    Retrieval,
    Segmentation,
    Submission,
    Verification,
)
from gait.errors import DataError
from gait.evaluation.cells import average, cut
from gait.evaluation.classification import expected_categories
from gait.evaluation.distance import Indices
from gait.evaluation.protocols import Outcomes, Selected, Sequences, select
from gait.evaluation.submission import names_of, select_parts
from gait.types import SequenceKey

# What else can be done about an experiment that cannot be scored.
UNSCORED = "or do without scores (evaluation: {protocols: []} in the experiment's file)"
# Percent that rounding may take from a mean of cells that are all 100.
_ROUNDING = 1e-6
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Feasible:
    """What is known of a protocol's scores beforehand.

    Attributes:
        problem: why it cannot be scored at all, and what to change; else an empty text.
        notes: what keeps a row from being whole, such as a rank-1 that cannot reach 100 %, by
            the name of the row; rows without are left out.
    """

    problem: str = ""
    notes: dict[str, str] = field(default_factory=dict)


def feasible(
    protocols: Mapping[str, Protocol], keys: Iterable[SequenceKey]
) -> dict[str, Feasible]:
    """Of each protocol, what can be scored once the test sequences `keys` are embedded."""
    rows = list(keys)
    if not rows:
        why = "none of the test subjects is there; put their files there, or name others in 'test'"
        return {name: Feasible(f"protocol {name}: {why} of the partition") for name in protocols}
    subject, condition, view = (np.array(column) for column in zip(*rows, strict=True))
    sequences = Sequences.of(subject, condition, view)
    return {name: _feasible(name, each, sequences) for name, each in protocols.items()}


def _feasible(name: str, protocol: Protocol, sequences: Sequences) -> Feasible:
    try:
        match protocol:
            case Retrieval():
                return retrieval(name, protocol, sequences, select(name, protocol, sequences))
            case Verification():
                chosen = select(name, protocol.pairs, sequences)
                return verification(name, protocol.pairs, sequences, chosen)
            case Classification():
                return _classification(name, protocol, sequences)
            case Submission():
                probes, gallery = select_parts(name, protocol, sequences)
                names_of(name, protocol, sequences, probes, gallery)
                return Feasible()
            case Segmentation():
                return Feasible()
    except DataError as error:
        return Feasible(str(error))


def retrieval(
    name: str, protocol: Retrieval, sequences: Sequences, chosen: list[Selected]
) -> Feasible:
    """What the ranks of a retrieval could be at best, with every match ranked first."""
    seen = sequences.seen(protocol.view_part)
    notes: dict[str, str] = {}
    best = [(each, _best(protocol, seen, each)) for each in chosen]
    for selected, outcomes in best:
        for row in selected.members:
            if note := _retrieval_note(protocol, seen, selected, outcomes, row):
                notes[row] = note
    if not any(outcomes.compared.any() for _, outcomes in best):
        return Feasible(_nothing(name, protocol, "leaves nothing to compare"), notes)
    if not any(outcomes.first.any() for _, outcomes in best):
        what = "leaves no probe a sequence of its own subject to find"
        return Feasible(_nothing(name, protocol, what), notes)
    return Feasible("", notes)


def verification(
    name: str, protocol: Retrieval, sequences: Sequences, chosen: list[Selected]
) -> Feasible:
    """Which rows have pairs of one subject and pairs of two; a figure takes both."""
    seen = sequences.seen(protocol.view_part)
    notes = {}
    rows = 0
    for selected in chosen:
        # Pairs are not cut into cells.
        compared, matches = _counted(protocol, seen, selected.probes, selected.gallery)
        for row, members in selected.members.items():
            rows += bool(len(members))
            genuine = int(matches[members].sum())
            impostor = int(compared[members].sum()) - genuine
            lacking = [
                what
                for what, number in (("one subject", genuine), ("two subjects", impostor))
                if len(members) and not number
            ]
            if lacking:
                notes[row] = f"there is no pair of {' nor of '.join(lacking)}"
    if len(notes) == rows:
        what = f"leaves no row both pairs of one subject and of two ({next(iter(notes.values()))})"
        return Feasible(_nothing(name, protocol, what), notes)
    return Feasible("", notes)


def with_notes(chosen: list[Selected], notes: Mapping[str, str]) -> list[Selected]:
    """Selections whose rows are noted as well that they cannot be whole."""
    return [
        Selected(
            each.gallery,
            each.starts,
            each.groups,
            each.probes,
            each.members,
            {row: _joined(note, notes.get(row, "")) for row, note in each.notes.items()},
        )
        for each in chosen
    ]


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _nothing(name: str, protocol: Retrieval, what: str) -> str:
    return (
        f"protocol {name}: exclude: {protocol.exclude} {what}, with the galleries, probes and "
        "views that are there; prepare sequences of further views or conditions, or change "
        "exclude, gallery or probes in dataset.yaml"
    )


def _best(protocol: Retrieval, seen: Sequences, selected: Selected) -> Outcomes:
    """The outcomes, were every match ranked first."""
    shape = (len(selected.probes), len(selected.groups))
    compared, met = np.zeros(shape, bool), np.zeros(shape, bool)
    for group in range(len(selected.groups)):
        gallery = selected.gallery[selected.starts[group] : selected.starts[group + 1]]
        number, matches = _counted(protocol, seen, selected.probes, gallery)
        compared[:, group], met[:, group] = number > 0, matches > 0
    share = met.astype(np.float64)
    return Outcomes(met.astype(np.int32), share, share, compared)


def _counted(
    protocol: Retrieval, seen: Sequences, probes: Indices, gallery: Indices
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many of a gallery each probe is compared with, [m], and how many are its subject's."""
    subjects = np.bincount(seen.subject[gallery], minlength=len(seen.subjects))
    same = subjects[seen.subject[probes]]
    if protocol.exclude == "none":
        itself = np.isin(probes, gallery)
        return len(gallery) - itself, same - itself
    pair = seen.subject.astype(np.int64) * len(seen.views) + seen.view
    known, counts = np.unique(pair[gallery], return_counts=True)
    place = np.minimum(np.searchsorted(known, pair[probes]), max(len(known) - 1, 0))
    own = np.zeros(len(probes), np.int64)
    if len(known):
        own = np.where(known[place] == pair[probes], counts[place], 0)
    if protocol.exclude == "same_subject_view":
        return len(gallery) - own, same - own
    views = np.bincount(seen.view[gallery], minlength=len(seen.views))
    return len(gallery) - views[seen.view[probes]], same - own


def _retrieval_note(
    protocol: Retrieval, seen: Sequences, selected: Selected, outcomes: Outcomes, row: str
) -> str:
    members = selected.members[row]
    if not len(members):
        return ""
    compared, met = outcomes.compared[members], outcomes.first[members] > 0
    notes = []
    alone = int((~compared.any(axis=1)).sum())
    if alone:
        notes.append(f"{alone:,} of {len(members):,} probes are compared with nothing")
    unmatched = (compared & ~met).any(axis=1)
    if number := int(unmatched.sum()):
        where = "some view of the gallery" if protocol.cells == "view_pair" else "the gallery"
        what = f"{number:,} of {len(members):,} probes lack a sequence of their subject in {where}"
        notes.append(what + _consequence(protocol, seen, selected, outcomes, row))
    if protocol.cells == "view_pair":
        views = {seen.views[each] for each in seen.view[selected.probes[members]]}
        if lacking := sorted(views - set(selected.groups)):
            notes.append(f"the gallery lacks the views {_few(lacking)}, which are not averaged")
    return "; ".join(notes)


def _consequence(
    protocol: Retrieval, seen: Sequences, selected: Selected, outcomes: Outcomes, row: str
) -> str:
    if protocol.unmatched == "skip":
        return ", and are left out"
    grid = cut(protocol, seen, selected, outcomes, row, 1)
    most, _ = average(grid.cmc_pct[0], grid.scored)
    return f": rank-1 is at most {most:.2f} %" if most < 100 - _ROUNDING else ""


def _classification(name: str, protocol: Classification, sequences: Sequences) -> Feasible:
    there = np.unique(expected_categories(protocol, sequences))
    if len(there) == 1:
        only = list(protocol.categories)[int(there[0])]
        return Feasible(
            f"protocol {name}: all test sequences are of the category {only}, so that nothing is "
            "told apart; put sequences of the others there, or change 'categories' or the test "
            "set of the partition"
        )
    return Feasible()


def _few(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
