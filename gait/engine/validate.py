"""Scores a model on the test subjects while it is being trained."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from gait.config.experiment import Resolved
from gait.config.protocol import Retrieval
from gait.data.store import PackedStore
from gait.engine.distributed import World
from gait.engine.embed import test_set, write_embeddings
from gait.evaluation.embeddings import read_embeddings
from gait.evaluation.results import ProtocolScore
from gait.evaluation.score import score_embeddings


def rank1_pct(
    model: nn.Module,
    resolved: Resolved,
    store: PackedStore,
    file: Path,
    world: World,
    workers: int,
) -> dict[str, float]:
    """Rank-1 in percent by `<protocol>/<probe>`, on the first process; empty on the others.

    It is empty, and nothing is embedded, where no protocol identifies anybody.

    Args:
        model: on its device; left in evaluation mode.
        file: where embeddings are put for as long as they are needed.

    Raises:
        DataError: the test set lacks a protocol's gallery or probes.
    """
    settings = resolved.experiment
    protocols = {
        name: each for name, each in resolved.protocols.items() if isinstance(each, Retrieval)
    }
    if not protocols:
        return {}
    test = test_set(resolved, store, world)
    write_embeddings(model, test, store, file, world, settings.embedding, workers)
    if not world.is_first:
        return {}
    given = read_embeddings(file)
    scores = score_embeddings(
        given.embeddings,
        given.subject,
        given.condition,
        given.view,
        protocols,
        distance=settings.evaluation.distance,
    )
    file.unlink()
    return {
        f"{protocol}/{probe}": rank1
        for protocol, result in scores.items()
        if isinstance(result, ProtocolScore)
        for probe, row in result.probes.items()
        if (rank1 := row.summary.rank_pct[1]) is not None
    }
