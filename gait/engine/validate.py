"""Scores a model on the test subjects while it is being trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from gait.config.protocol import VALIDATION_METRICS
from gait.config.resolved import Resolved
from gait.data.store import PackedStore
from gait.engine.embed import test_set, write_embeddings
from gait.engine.runtime.distributed import World
from gait.evaluation.classification import ClassificationScore
from gait.evaluation.embeddings import read_embeddings
from gait.evaluation.results import ProtocolScore
from gait.evaluation.score import Score, score_embeddings
from gait.evaluation.segmentation import SegmentationScore
from gait.evaluation.verification import VerificationScore

# By the key of each metric in `VALIDATION_METRICS`: figures in percent by protocol and row.
ValidationFigures = dict[str, dict[str, float]]


def figures(
    model: nn.Module,
    resolved: Resolved,
    store: PackedStore,
    file: Path,
    world: World,
    workers: int,
) -> ValidationFigures:
    """The figure of each protocol that has one, on the first process; empty on the others.

    Args:
        model: on its device; left in evaluation mode.
        file: where embeddings are put for as long as they are needed.

    Raises:
        DataError: the test set lacks a protocol's gallery or probes.
    """
    settings = resolved.experiment
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
        resolved.validation_protocols,
        distance=settings.evaluation.distance,
        frames=given.frames,
    )
    file.unlink()
    found: ValidationFigures = {}
    for name, protocol in resolved.validation_protocols.items():
        for row, value in _rows(name, scores[name]):
            if value is not None:
                found.setdefault(VALIDATION_METRICS[protocol.kind].key, {})[row] = value
    return found


def _rows(name: str, result: Score) -> Iterator[tuple[str, float | None]]:
    match result:
        case ProtocolScore():
            for probe, row in result.probes.items():
                yield f"{name}/{probe}", row.summary.rank_pct[1]
        case VerificationScore():
            for probe, pairs in result.probes.items():
                yield f"{name}/{probe}", pairs.summary.eer_pct
        case ClassificationScore():
            yield name, result.accuracy_pct
        case SegmentationScore():
            yield name, result.miou_pct
