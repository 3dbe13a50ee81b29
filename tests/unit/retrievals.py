"""Made-up sequences with embeddings, and protocols to score them by."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from gait.config.protocol import Retrieval
from gait.evaluation import ProtocolScore, score_embeddings

Records = list[tuple[str, str, str]]


def protocol(**changes: Any) -> Retrieval:
    """A protocol of two rows, whose gallery is the first two walks."""
    base: dict[str, Any] = {
        "title": "a protocol",
        "gallery": {"condition": ["nm-0[12]"]},
        "probes": {"NM": {"condition": ["nm-03"]}, "BG": {"condition": ["bg-*"]}},
        "cells": "view_pair",
        "exclude": "identical_view",
    }
    return Retrieval(**base | changes)


def records(subjects: int = 6, views: tuple[str, ...] = ("000", "045", "090")) -> Records:
    """Every walk of each subject from each view."""
    conditions = ["bg-01", "nm-01", "nm-02", "nm-03"]
    return list(product([f"{i:03d}" for i in range(subjects)], conditions, views))


def embed(rows: Records, noise: float = 2.0, seed: int = 0) -> np.ndarray:
    """Embeddings of two parts, scattered about those of their subjects."""
    generator = np.random.default_rng(seed)
    names = {name: generator.standard_normal((4, 2)) for name in sorted({row[0] for row in rows})}
    cloud = noise * generator.standard_normal((len(rows), 4, 2))
    return np.array([names[row[0]] for row in rows] + cloud, dtype=np.float32)


def scored(
    rows: Records, embeddings: np.ndarray, chosen: Retrieval, **options: Any
) -> ProtocolScore:
    """The score by one protocol."""
    subject, condition, view = (np.array(column) for column in zip(*rows, strict=True))
    return score_embeddings(embeddings, subject, condition, view, {"it": chosen}, **options)["it"]
