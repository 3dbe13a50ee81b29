"""Scores decisions on pairs: of one subject, or not, by their distance.

A pair is accepted when its distance is at most a threshold. Nothing but counts is held: distances
are sorted into bins by their leading bits, then, in a second pass, those of the few bins that
matter by the rest of their bits. So every figure is exact, whatever the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.config.protocol import Retrieval
from gait.evaluation.distance import Floats, Metric, distance_blocks
from gait.evaluation.protocols import Selected, Sequences, pairs
from gait.evaluation.ranking import ordered

Counts = NDArray[np.int64]

# One false acceptance in so many impostors.
FALSE_ACCEPTANCES = {"1e-2": 100, "1e-3": 1000, "1e-4": 10000}
_BINS = 1 << 16
_PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class PairSummary:
    """The figures of a row of the table; None where there are not the pairs for it.

    Attributes:
        eer_pct: equal error rate, where the line through neighbouring points of false acceptance
            and false rejection has both alike; None without pairs of one subject or of two.
        tar_pct: share of pairs of one subject that are accepted, by the false acceptance rate
            that is not exceeded; None where there are fewer pairs of two subjects than one false
            acceptance takes.
        n_probe: probe sequences selected; as `n_gallery`.
        n_genuine: pairs of one subject.
        n_impostor: pairs of two.
    """

    eer_pct: float | None
    tar_pct: dict[str, float | None]
    n_probe: int
    n_gallery: int
    n_genuine: int
    n_impostor: int


@dataclass(frozen=True, slots=True)
class PairScore:
    """One probe row; `note` says why it is empty, or what it lacks."""

    summary: PairSummary
    note: str = ""


@dataclass(frozen=True, slots=True)
class VerificationScore:
    """A verification's probe rows and their plain mean.

    Attributes:
        mean: averages over the probe rows, None as soon as one of them has no value; sequences
            are counted once, pairs once in each row.
    """

    probes: dict[str, PairScore]
    mean: PairSummary


def verification_score(
    protocol: Retrieval,
    embeddings: Floats,
    sequences: Sequences,
    chosen: list[Selected],
    metric: Metric,
) -> VerificationScore:
    """Decide on the pairs of each probe with its gallery, at every threshold.

    Distances are computed twice rather than kept.

    Args:
        protocol: the retrieval whose pairs they are.
        chosen: its galleries and their probes, as `select` gives them.
    """
    seen = sequences.seen(protocol.view_part)
    found: dict[str, PairScore] = {}
    for selected in chosen:
        found |= _selected_score(protocol, embeddings, seen, selected, metric)
    scores = {probe: found[probe] for probe in protocol.probes}
    summaries = [each.summary for each in scores.values()]
    mean = PairSummary(
        eer_pct=_plain_mean([each.eer_pct for each in summaries]),
        tar_pct={
            far: _plain_mean([each.tar_pct[far] for each in summaries])
            for far in FALSE_ACCEPTANCES
        },
        n_probe=len(np.unique(np.concatenate([each.probes for each in chosen]))),
        n_gallery=len(np.unique(np.concatenate([each.gallery for each in chosen]))),
        n_genuine=sum(each.n_genuine for each in summaries),
        n_impostor=sum(each.n_impostor for each in summaries),
    )
    return VerificationScore(scores, mean)


def _selected_score(
    protocol: Retrieval,
    embeddings: Floats,
    sequences: Sequences,
    selected: Selected,
    metric: Metric,
) -> dict[str, PairScore]:
    coarse = {probe: np.zeros((2, _BINS), np.int64) for probe in selected.members}
    for probe, bits, genuine in _bits(protocol, embeddings, sequences, selected, metric):
        coarse[probe] += _histogram(bits >> 16, genuine)
    fine = {
        probe: {place: np.zeros((2, _BINS), np.int64) for place in _places(counts)}
        for probe, counts in coarse.items()
    }
    if any(fine.values()):
        for probe, bits, genuine in _bits(protocol, embeddings, sequences, selected, metric):
            for place, counts in fine[probe].items():
                here = bits >> 16 == place
                counts += _histogram(bits[here] & 0xFFFF, genuine[here])
    scores = {}
    for probe, members in selected.members.items():
        summary = PairSummary(
            _equal_error(coarse[probe], fine[probe]),
            {
                far: _acceptance(coarse[probe], fine[probe], one_in)
                for far, one_in in FALSE_ACCEPTANCES.items()
            },
            len(members),
            len(selected.gallery),
            *coarse[probe].sum(axis=1).tolist(),
        )
        scores[probe] = PairScore(summary, selected.notes[probe])
    return scores


def _bits(
    protocol: Retrieval,
    embeddings: Floats,
    sequences: Sequences,
    selected: Selected,
    metric: Metric,
) -> Iterator[tuple[str, NDArray[np.uint32], NDArray[np.bool_]]]:
    """Distances of pairs as integers of the same order, [b], and which are of one subject, [b].

    They come by probe row, some at a time.
    """
    is_member = {}
    for probe, members in selected.members.items():
        is_member[probe] = np.zeros(len(selected.probes), bool)
        is_member[probe][members] = True
    step = max(1, _PAIRS_AT_ONCE // max(1, len(selected.gallery)))
    for block, distance in distance_blocks(embeddings, selected.probes, selected.gallery, metric):
        for start in range(block.start, block.stop, step):
            rows = slice(start, min(start + step, block.stop))
            match, excluded = pairs(selected.probes[rows], selected.gallery, sequences, protocol)
            bits = ordered(distance[rows.start - block.start : rows.stop - block.start])
            for probe, belongs in is_member.items():
                counted = ~excluded & belongs[rows, np.newaxis]
                if counted.any():
                    yield probe, bits[counted], match[counted]


def _histogram(places: NDArray[np.integer], genuine: NDArray[np.bool_]) -> Counts:
    """How many pairs of one subject, and of two, fall into each bin, [2, bins]."""
    return np.stack([np.bincount(places[which], minlength=_BINS) for which in (genuine, ~genuine)])


def _places(coarse: Counts) -> set[int]:
    """The bins whose pairs have to be told apart further."""
    wanted = {_acceptance_place(coarse, one_in) for one_in in FALSE_ACCEPTANCES.values()}
    return {place for place in (*wanted, _crossing_place(coarse)) if place is not None}


def _acceptance_place(coarse: Counts, one_in: int) -> int | None:
    """The bin of the nearest pair of two subjects that may no longer be accepted."""
    genuine, impostor = coarse.sum(axis=1)
    allowed = impostor // one_in
    if allowed == 0 or genuine == 0:
        return None
    return int(np.searchsorted(np.cumsum(coarse[1]), allowed, side="right"))


def _acceptance(coarse: Counts, fine: dict[int, Counts], one_in: int) -> float | None:
    """Percent of the pairs of one subject that are nearer than that pair of two."""
    place = _acceptance_place(coarse, one_in)
    if place is None:
        return None
    genuine, impostor = coarse[:, :place].sum(axis=1)
    allowed = coarse[1].sum() // one_in - impostor
    nearer = int(np.searchsorted(np.cumsum(fine[place][1]), allowed, side="right"))
    accepted = genuine + fine[place][0, :nearer].sum()
    return float(100 * accepted / coarse[0].sum())


def _crossing_place(coarse: Counts) -> int | None:
    """The bin that contains the equal-error threshold (FAR = FRR)."""
    if not coarse.sum(axis=1).all():
        return None
    return int(np.argmax(_excess(np.cumsum(coarse, axis=1), coarse) >= 0))


def _excess(accepted: Counts, coarse: Counts) -> Counts:
    """False acceptance less false rejection by threshold, as exact multiples of a small share."""
    genuine, impostor = coarse.sum(axis=1)
    excess: Counts = accepted[1] * genuine - (genuine - accepted[0]) * impostor
    return excess


def _equal_error(coarse: Counts, fine: dict[int, Counts]) -> float | None:
    """Equal error rate in percent: where the step that makes both alike meets the diagonal."""
    place = _crossing_place(coarse)
    if place is None:
        return None
    before = coarse[:, :place].sum(axis=1, keepdims=True)
    accepted = np.concatenate([before, before + np.cumsum(fine[place], axis=1)], axis=1)
    excess = _excess(accepted, coarse)
    step = int(np.argmax(excess >= 0))
    false = accepted[1] / coarse[1].sum()
    # Before the first threshold everything is rejected, so that there is a step before this one.
    share = excess[step - 1] / (excess[step - 1] - excess[step])
    return float(100 * (false[step - 1] + share * (false[step] - false[step - 1])))


def _plain_mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if len(there) == len(values) else None
