"""From the outcomes of single probes to percentages of cells and their averages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gait.config.protocol import Retrieval
from gait.evaluation.protocols import Outcomes, Selected, Sequences

Reals = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grid:
    """One probe row, cut by probe view and gallery group; arrays [v, g] unless said otherwise.

    Attributes:
        probe_views: name of each of the v rows.
        cmc_pct: percent at rank 1, 2, ..., [ranks, v, g]; meaningless where not `scored`.
        map_pct: percent; meaningless where not `matched`; as is `minp_pct`.
        scored: cells with a probe that counts.
        matched: cells with a probe that has a match.
        n_probe: probes compared.
        n_unmatched: those without a match.
        subject_hits: probes of each subject that are right at rank 1, [subjects, v, g].
        subject_probes: probes of each subject that count, [subjects, v, g].
    """

    probe_views: list[str]
    cmc_pct: Reals
    map_pct: Reals
    minp_pct: Reals
    scored: Bools
    matched: Bools
    n_probe: Counts
    n_unmatched: Counts
    subject_hits: Counts
    subject_probes: Counts


def cut(
    protocol: Retrieval,
    sequences: Sequences,
    selected: Selected,
    outcomes: Outcomes,
    probe: str,
    ranks: int,
) -> Grid:
    """Count the outcomes of one probe row cell by cell.

    Args:
        probe: name of the row.
        ranks: the highest rank of the cumulative match characteristic.
    """
    members = selected.members[probe]
    rows = selected.probes[members]
    groups = len(selected.groups)
    if protocol.cells == "pooled":
        names, line = ["all"], np.zeros(len(rows), np.intp)
    else:
        present, line = np.unique(sequences.view[rows], return_inverse=True)
        names = [sequences.views[view] for view in present]
    shape = (len(names), groups)
    place = line[:, np.newaxis] * groups + np.arange(groups)
    first = outcomes.first[members]
    compared = outcomes.compared[members]
    matched = compared & (first > 0)
    counted = compared if protocol.unmatched == "miss" else matched

    def total(chosen: Bools, weights: Reals | None = None) -> Reals:
        values = None if weights is None else weights[chosen]
        flat = np.bincount(place[chosen], values, minlength=shape[0] * shape[1])
        return flat.astype(np.float64).reshape(shape)

    def by_subject(chosen: Bools) -> Counts:
        count, cells = len(sequences.subjects), shape[0] * shape[1]
        subject = np.broadcast_to(sequences.subject[rows][:, np.newaxis], chosen.shape)
        flat = np.bincount(subject[chosen] * cells + place[chosen], minlength=count * cells)
        return flat.reshape(count, *shape)

    number, found = total(counted), total(matched)
    within = matched & (first <= ranks)
    histogram = np.bincount(
        place[within] * ranks + first[within] - 1, minlength=shape[0] * shape[1] * ranks
    )
    hits = np.cumsum(histogram.reshape(*shape, ranks), axis=2).transpose(2, 0, 1)
    scored = number > 0
    return Grid(
        probe_views=names,
        cmc_pct=_percent(hits.astype(np.float64), number, protocol.round_cells),
        map_pct=_percent(
            total(matched, outcomes.average_precision[members]), found, protocol.round_cells
        ),
        minp_pct=_percent(
            total(matched, outcomes.inverse_penalty[members]), found, protocol.round_cells
        ),
        scored=scored,
        matched=found > 0,
        n_probe=total(compared).astype(np.int64),
        n_unmatched=total(compared & ~matched).astype(np.int64),
        subject_hits=by_subject(matched & (first == 1)),
        subject_probes=by_subject(counted),
    )


def average(values: Reals, filled: Bools) -> tuple[Reals, Bools]:
    """Mean over gallery groups, then over probe views, of the cells that are filled.

    Args:
        values: [..., v, g]; whatever stands in cells that are not filled.
        filled: [..., v, g].

    Returns:
        The averages [...], and which of them have a value [...].
    """
    across = filled.sum(axis=-1)
    rows = np.where(filled, values, 0).sum(axis=-1) / np.maximum(across, 1)
    lines = across > 0
    down = lines.sum(axis=-1)
    return np.where(lines, rows, 0).sum(axis=-1) / np.maximum(down, 1), down > 0


def _percent(part: Reals, whole: Reals, decimals: int | None) -> Reals:
    percent = part * 100 / np.maximum(whole, 1)
    return percent if decimals is None else np.round(percent, decimals)
