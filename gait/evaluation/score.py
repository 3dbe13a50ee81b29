"""Scores embeddings by every protocol that is wanted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

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
from gait.config.resolved import Resolved
from gait.errors import DataError
from gait.evaluation.classification import (
    ClassificationScore,
    classification_score,
    expected_categories,
    told_categories,
)
from gait.evaluation.distance import Floats, Metric
from gait.evaluation.embeddings import check_embeddings, read_embeddings
from gait.evaluation.feasible import retrieval, verification, with_notes
from gait.evaluation.protocols import Sequences, Texts, select
from gait.evaluation.results import ProtocolScore
from gait.evaluation.retrieval import retrieval_score
from gait.evaluation.segmentation import SegmentationScore, segmentation_score
from gait.evaluation.submission import SubmissionScore, select_parts, submission
from gait.evaluation.verification import VerificationScore, verification_score
from gait.files import atomic_path
from gait.formats.seal import sealed_json

FORMAT = "gait-metrics-1"

Score = (
    ProtocolScore | VerificationScore | ClassificationScore | SubmissionScore | SegmentationScore
)


def score(resolved: Resolved, embeddings: Path, metrics: Path) -> None:
    """Score an experiment's embeddings and write `metrics.json`, unrounded.

    The same embeddings and settings give the same bytes, of which the last are their digest.

    Raises:
        DataError: the embeddings cannot be read, or lack a protocol's gallery or probes.
    """
    settings = resolved.experiment.evaluation
    protocols = resolved.protocols
    if not protocols:
        raise DataError(
            f"{resolved.dataset.name}: expected a protocol that scores the output "
            f"{settings.output!r} of {resolved.model}, got none; add one to dataset.yaml, or set "
            "evaluation.output to what the model gives"
        )
    given = read_embeddings(embeddings)
    scores = _scored(
        given.embeddings,
        Sequences.of(given.subject, given.condition, given.view),
        protocols,
        settings.distance,
        settings.bootstrap,
        resolved.experiment.seed,
        given.frames,
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
            name: protocols[name].model_dump(
                mode="json", include={"kind", "title", "cells", "exclude"}
            )
            | asdict(result)
            for name, result in scores.items()
        },
    }
    with atomic_path(metrics) as temporary:
        temporary.write_text(sealed_json(record), encoding="utf-8")


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
    frames: NDArray[np.integer] | None = None,
) -> dict[str, Score]:
    """Score embeddings that are at hand, for instance while a model is being trained.

    Args:
        embeddings: [n, c, p], float32.
        subject: names [n]; as are `condition` and `view`.
        bootstrap: resamplings of the subjects behind each interval; 0 for no intervals.
        frames: frames behind each embedding, [n]; a segmentation needs them.

    Raises:
        DataError: the embeddings are malformed, or lack a protocol's gallery or probes.
    """
    check_embeddings(embeddings, subject, condition, view, "embeddings")
    sequences = Sequences.of(subject, condition, view)
    return _scored(embeddings, sequences, protocols, distance, bootstrap, seed, frames)


def _scored(
    embeddings: Floats,
    sequences: Sequences,
    protocols: Mapping[str, Protocol],
    distance: Metric,
    bootstrap: int,
    seed: int,
    frames: NDArray[np.integer] | None,
) -> dict[str, Score]:
    # Selections first: what is missing is told before the long work.
    waiting = {
        name: _prepared(name, each, embeddings, sequences, distance, bootstrap, seed, frames)
        for name, each in protocols.items()
    }
    return {name: work() for name, work in waiting.items()}


def _prepared(
    name: str,
    protocol: Protocol,
    embeddings: Floats,
    sequences: Sequences,
    distance: Metric,
    bootstrap: int,
    seed: int,
    frames: NDArray[np.integer] | None,
) -> Callable[[], Score]:
    """Selects what a protocol is about, and gives the work that is left to do."""
    # The name in the key keeps a protocol's interval free of the protocols beside it.
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    match protocol:
        case Retrieval():
            chosen = select(name, protocol, sequences)
            chosen = with_notes(chosen, retrieval(name, protocol, sequences, chosen).notes)
            given = (name, protocol, embeddings, sequences, chosen, distance)
            return partial(retrieval_score, *given, bootstrap, generator)
        case Verification():
            pairs = protocol.pairs
            chosen = select(name, pairs, sequences)
            chosen = with_notes(chosen, verification(name, pairs, sequences, chosen).notes)
            return partial(verification_score, pairs, embeddings, sequences, chosen, distance)
        case Classification():
            expected = expected_categories(protocol, sequences)
            told = told_categories(name, embeddings, protocol)
            names = list(protocol.categories)
            resampled = (sequences.subject, bootstrap, generator)
            return partial(classification_score, told, expected, names, *resampled)
        case Submission():
            parts = select_parts(name, protocol, sequences)
            return partial(submission, name, protocol, embeddings, sequences, *parts, distance)
        case Segmentation():
            return partial(segmentation_score, name, embeddings, frames)
