"""Scores embeddings by every protocol that is wanted."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gait.config.experiment import Resolved
from gait.config.protocol import Protocol
from gait.errors import DataError
from gait.evaluation.bootstrap import interval, replicates
from gait.evaluation.cells import Bools, Grid, Reals, average, cut
from gait.evaluation.distance import Floats, Metric
from gait.evaluation.embeddings import check, read_embeddings
from gait.evaluation.protocols import (
    Outcomes,
    Selected,
    Sequences,
    Texts,
    compare,
    select,
)
from gait.evaluation.results import Cells, ProbeScore, ProtocolScore, Summary
from gait.files import atomic_path

FORMAT = "gait-metrics-1"
_CMC_RANKS = 20


def score(resolved: Resolved, embeddings: Path, metrics: Path) -> None:
    """Score an experiment's embeddings and write `metrics.json`, unrounded.

    The same embeddings and settings give the same bytes.

    Raises:
        DataError: the embeddings cannot be read, or lack a protocol's gallery or probes.
    """
    settings = resolved.experiment.evaluation
    known = resolved.dataset.protocols
    protocols = {name: known[name] for name in settings.protocols or known}
    given = read_embeddings(embeddings)
    scores = _scored(
        given.embeddings,
        Sequences.of(given.subject, given.condition, given.view),
        protocols,
        settings.distance,
        settings.bootstrap,
        resolved.experiment.seed,
    )
    record: dict[str, Any] = {
        "format": FORMAT,
        "dataset": resolved.dataset.name,
        "model": resolved.model,
        "save_name": resolved.save_name,
        "trained_on": resolved.trained_on,
        "iterations": resolved.experiment.iterations,
        "seed": resolved.experiment.seed,
        "distance": settings.distance,
        "n_subjects": len(np.unique(given.subject)),
        "protocols": {
            name: protocols[name].model_dump(mode="json", include={"title", "cells", "exclude"})
            | asdict(result)
            for name, result in scores.items()
        },
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_path(metrics) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def score_embeddings(
    embeddings: Floats,
    subject: Texts,
    condition: Texts,
    view: Texts,
    protocols: Mapping[str, Protocol],
    *,
    distance: Metric = "euclidean",
    bootstrap: int = 0,
    seed: int = 0,
) -> dict[str, ProtocolScore]:
    """Score embeddings that are at hand, for instance while a model is being trained.

    Args:
        embeddings: [n, c, p], float32.
        subject: names [n]; as are `condition` and `view`.
        bootstrap: resamplings of the subjects behind each interval; 0 for no intervals.

    Raises:
        DataError: the embeddings are malformed, or lack a protocol's gallery or probes.
    """
    check(embeddings, subject, condition, view, "embeddings")
    sequences = Sequences.of(subject, condition, view)
    return _scored(embeddings, sequences, protocols, distance, bootstrap, seed)


def _scored(
    embeddings: Floats,
    sequences: Sequences,
    protocols: Mapping[str, Protocol],
    distance: Metric,
    bootstrap: int,
    seed: int,
) -> dict[str, ProtocolScore]:
    # Selections first: what is missing is told before the long work.
    chosen = {name: select(name, each, sequences) for name, each in protocols.items()}
    results = {}
    for name, protocol in protocols.items():
        seen = sequences.seen(protocol.view_part)
        rounds = [
            (each, compare(embeddings, seen, each, protocol, distance)) for each in chosen[name]
        ]
        if not any(outcomes.compared.any() for _, outcomes in rounds):
            first = next(each for each, _ in rounds if len(each.probes)).probes[0]
            raise DataError(
                f"protocol {name}: exclude: {protocol.exclude} leaves nothing to compare, as with "
                f"probes and gallery of the one view {seen.views[seen.view[first]]}; set exclude: "
                "none in dataset.yaml or embed sequences of further views"
            )
        # The name in the key keeps a protocol's interval free of the protocols beside it.
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        results[name] = _protocol(protocol, seen, rounds, bootstrap, generator)
    return results


def _protocol(
    protocol: Protocol,
    sequences: Sequences,
    rounds: list[tuple[Selected, Outcomes]],
    bootstrap: int,
    generator: np.random.Generator,
) -> ProtocolScore:
    ranks = sorted({1, 5, *protocol.ranks})
    most = max(_CMC_RANKS, ranks[-1])
    place = {probe: each for each in rounds for probe in each[0].members}
    grids = {
        probe: cut(protocol, sequences, *place[probe], probe, most) for probe in protocol.probes
    }
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
    return ProtocolScore(probes, _mean(probes, draws, ranks, sequences, rounds))


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
