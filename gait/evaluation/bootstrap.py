"""How far a figure would move with other subjects."""

from __future__ import annotations

import numpy as np

from gait.evaluation.cells import Bools, Grid, Reals, average
from gait.evaluation.distance import Indices


def replicates(
    grids: dict[str, Grid], resamplings: int, generator: np.random.Generator
) -> dict[str, tuple[Reals, Bools]]:
    """Rank-1 of each probe row when the subjects are drawn anew, with replacement.

    Subjects are the unit because the sequences of one person are no independent trials. All rows
    are computed from the same draws, so that they may be averaged draw by draw. Cells are
    averaged as in the table, without rounding. (Efron & Tibshirani, An Introduction to the
    Bootstrap, 1993.)

    Returns:
        For each row the percentages [resamplings], and which of them have a value.
    """
    shown = sum(grid.subject_probes.sum(axis=(1, 2)) for grid in grids.values())
    subjects = np.flatnonzero(shown)
    if len(subjects) < 2:
        nothing = np.zeros(resamplings)
        return {name: (nothing, nothing > 0) for name in grids}
    weights = _weights(len(subjects), resamplings, generator)
    results = {}
    for name, grid in grids.items():
        shape = (resamplings, *grid.scored.shape)
        hits = weights @ grid.subject_hits[subjects].reshape(len(subjects), -1)
        probes = weights @ grid.subject_probes[subjects].reshape(len(subjects), -1)
        percent = hits * 100 / np.maximum(probes, 1)
        results[name] = average(percent.reshape(shape), (probes > 0).reshape(shape))
    return results


def share_interval(
    hits: Bools, subject: Indices, resamplings: int, generator: np.random.Generator
) -> tuple[float, float] | None:
    """The 95 % interval of the percentage of hits when the subjects are drawn anew.

    Args:
        hits: [n].
        subject: whom each of them is about, [n].

    Returns:
        Its bounds; None without resamplings, or with fewer than two subjects.
    """
    present, index = np.unique(subject, return_inverse=True)
    if len(present) < 2:
        return None
    weights = _weights(len(present), resamplings, generator)
    right = weights @ np.bincount(index[hits], minlength=len(present))
    total = weights @ np.bincount(index)
    return interval(100 * right / total, total > 0)


def _weights(subjects: int, resamplings: int, generator: np.random.Generator) -> Reals:
    """How often each subject is drawn, [resamplings, subjects]."""
    even = np.full(subjects, 1 / subjects)
    return generator.multinomial(subjects, even, size=resamplings).astype(np.float64)


def interval(values: Reals, valid: Bools) -> tuple[float, float] | None:
    """The central 95 % of the replicates; None without any."""
    if not valid.any():
        return None
    low, high = np.percentile(values[valid], [2.5, 97.5])
    return float(low), float(high)
