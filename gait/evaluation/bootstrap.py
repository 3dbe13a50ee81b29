"""How far rank-1 would move with other subjects."""

from __future__ import annotations

import numpy as np

from gait.evaluation.cells import Bools, Grid, Reals, average


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
    even = np.full(len(subjects), 1 / len(subjects))
    weights = generator.multinomial(len(subjects), even, size=resamplings).astype(np.float64)
    results = {}
    for name, grid in grids.items():
        shape = (resamplings, *grid.scored.shape)
        hits = weights @ grid.subject_hits[subjects].reshape(len(subjects), -1)
        probes = weights @ grid.subject_probes[subjects].reshape(len(subjects), -1)
        percent = hits * 100 / np.maximum(probes, 1)
        results[name] = average(percent.reshape(shape), (probes > 0).reshape(shape))
    return results


def interval(values: Reals, valid: Bools) -> tuple[float, float] | None:
    """The central 95 % of the replicates; None without any."""
    if not valid.any():
        return None
    low, high = np.percentile(values[valid], [2.5, 97.5])
    return float(low), float(high)
