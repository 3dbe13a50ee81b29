"""Scores a retrieval: who is identified, by cell and by row."""

from __future__ import annotations

import numpy as np

from gait.config.protocol import Retrieval
from gait.errors import DataError
from gait.evaluation.bootstrap import interval, replicates
from gait.evaluation.cells import Bools, Grid, Reals, average, cut
from gait.evaluation.distance import Floats, Metric
from gait.evaluation.protocols import Outcomes, Selected, Sequences, compared_pairs
from gait.evaluation.results import Cells, ProbeScore, ProtocolScore, Summary

_CMC_RANKS = 20


def retrieval_score(
    name: str,
    protocol: Retrieval,
    embeddings: Floats,
    sequences: Sequences,
    chosen: list[Selected],
    metric: Metric,
    bootstrap: int,
    generator: np.random.Generator,
) -> ProtocolScore:
    """Rank each gallery for its probes and average the outcomes, cell by cell.

    Args:
        name: the protocol's, for messages.
        chosen: its galleries and their probes, as `select` gives them.
        bootstrap: resamplings of the subjects behind each interval.

    Raises:
        DataError: the exclusions leave nothing to compare.
    """
    seen = sequences.seen(protocol.view_part)
    rounds = [(each, compared_pairs(embeddings, seen, each, protocol, metric)) for each in chosen]
    if not any(outcomes.compared.any() for _, outcomes in rounds):
        first = next(each for each in chosen if len(each.probes)).probes[0]
        raise DataError(
            f"protocol {name}: exclude: {protocol.exclude} leaves nothing to compare, as with "
            f"probes and gallery of the one view {seen.views[seen.view[first]]}; set exclude: "
            "none in dataset.yaml or embed sequences of further views"
        )
    ranks = sorted({1, 5, *protocol.ranks})
    most = max(_CMC_RANKS, ranks[-1])
    place = {probe: each for each in rounds for probe in each[0].members}
    grids = {probe: cut(protocol, seen, *place[probe], probe, most) for probe in protocol.probes}
    draws = replicates(grids, bootstrap, generator)
    probes = {}
    for probe, grid in grids.items():
        selected, outcomes = place[probe]
        curve, valid = average(grid.cmc_pct, grid.scored)
        cmc = curve.tolist() if valid.all() else []
        members = selected.members[probe]
        summary = Summary(
            rank_pct={rank: cmc[rank - 1] if cmc else None for rank in ranks},
            map_pct=_value(grid.map_pct, grid.matched),
            minp_pct=_value(grid.minp_pct, grid.matched),
            rank1_ci_pct=interval(*draws[probe]),
            n_gallery=len(selected.gallery),
            **_counts(outcomes.compared[members], outcomes.first[members] > 0),
        )
        cells = _cells(grid, selected)
        probes[probe] = ProbeScore(summary, cmc[:_CMC_RANKS], cells, selected.notes[probe])
    return ProtocolScore(probes, _mean(probes, draws, ranks, seen, rounds))


def _mean(
    probes: dict[str, ProbeScore],
    draws: dict[str, tuple[Reals, Bools]],
    ranks: list[int],
    sequences: Sequences,
    rounds: list[tuple[Selected, Outcomes]],
) -> Summary:
    summaries = [each.summary for each in probes.values()]
    values = np.mean([value for value, _ in draws.values()], axis=0)
    valid = np.all([each for _, each in draws.values()], axis=0)
    # A sequence counts once, whichever rows and galleries it stands in.
    enrolled, probed, compared, met = (np.zeros(len(sequences.subject), bool) for _ in range(4))
    for selected, outcomes in rounds:
        enrolled[selected.gallery] = True
        probed[selected.probes] = True
        compared[selected.probes] |= outcomes.compared.any(axis=1)
        met[selected.probes] |= (outcomes.first > 0).any(axis=1)
    return Summary(
        rank_pct={
            rank: _plain_mean([each.rank_pct[rank] for each in summaries]) for rank in ranks
        },
        map_pct=_plain_mean([each.map_pct for each in summaries]),
        minp_pct=_plain_mean([each.minp_pct for each in summaries]),
        rank1_ci_pct=interval(values, valid),
        n_gallery=int(enrolled.sum()),
        **_counts(compared[probed, np.newaxis], met[probed, np.newaxis]),
    )


def _counts(compared: Bools, met: Bools) -> dict[str, int]:
    """Counts of probes; arrays [probes, groups]: which were compared, which met their subject."""
    ever_compared, ever_met = compared.any(axis=1), met.any(axis=1)
    return {
        "n_probe": len(compared),
        "n_unmatched": int((ever_compared & ~ever_met).sum()),
        "n_not_compared": int((~ever_compared).sum()),
    }


def _cells(grid: Grid, selected: Selected) -> Cells:
    sizes = np.diff(selected.starts).tolist()
    return Cells(
        probe_view=[view for view in grid.probe_views for _ in selected.groups],
        gallery_view=selected.groups * len(grid.probe_views),
        rank1_pct=_optional(grid.cmc_pct[0], grid.scored),
        map_pct=_optional(grid.map_pct, grid.matched),
        minp_pct=_optional(grid.minp_pct, grid.matched),
        n_probe=grid.n_probe.ravel().tolist(),
        n_gallery=sizes * len(grid.probe_views),
        n_unmatched=grid.n_unmatched.ravel().tolist(),
    )


def _optional(values: Reals, filled: Bools) -> list[float | None]:
    pairs = zip(values.ravel().tolist(), filled.ravel().tolist(), strict=True)
    return [value if there else None for value, there in pairs]


def _value(values: Reals, filled: Bools) -> float | None:
    mean, valid = average(values, filled)
    return float(mean) if valid else None


def _plain_mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if len(there) == len(values) else None
