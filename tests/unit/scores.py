"""Fabricated embeddings, metrics and tables that several tests start from."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from gait.config.dataset import Dataset
from gait.config.experiment import Experiment
from gait.config.protocol import Retrieval
from gait.config.resolved import Resolved
from gait.formats.seal import seal_zip
from gait.report.metrics import Metrics
from gait.report.tables import Row, report_rows, write_table

SUBJECTS = [f"{number:03d}" for number in range(8)]
CONDITIONS = ["nm-01", "nm-02", "cl-01"]
VIEWS = ["000", "054", "090"]


def a_protocol(cells: str = "view_pair", exclude: str = "identical_view") -> Retrieval:
    return Retrieval(
        title="a title",
        gallery={"condition": ["nm-01"]},
        probes={"NM": {"condition": ["nm-02"]}, "CL": {"condition": ["cl-*"]}},
        cells=cells,
        exclude=exclude,
    )


def an_experiment(**evaluation: Any) -> Resolved:
    component = {"name": "Any"}
    return Resolved(
        dataset=Dataset(
            name="Toy",
            title="toy",
            licence="none",
            obtain="made up",
            layouts=[],
            partition={"train": [], "test": SUBJECTS},
            protocols={
                "single": a_protocol(),
                "cross": a_protocol("probe_view", "same_subject_view"),
            },
        ),
        model="GaitSet",
        save_name="paper",
        experiment=Experiment(
            seed=4,
            iterations=10,
            model=component,
            losses={},
            optimizer=component,
            scheduler=component,
            sampler=component,
            frames={},
            transforms=[],
            precision="fp32",
            batch_norm="local",
            logging={},
            embedding={},
            evaluation={"bootstrap": 40} | evaluation,
        ),
    )


def arrays(noise: float = 1.5) -> dict[str, np.ndarray]:
    rows = list(product(SUBJECTS, CONDITIONS, VIEWS))
    subject, condition, view = (np.array(column) for column in zip(*rows, strict=True))
    generator = np.random.default_rng(1)
    centres = generator.standard_normal((len(SUBJECTS), 5, 2))
    cloud = noise * generator.standard_normal((len(rows), 5, 2))
    embeddings = (centres[subject.astype(int)] + cloud).astype(np.float32)
    return {"embeddings": embeddings, "subject": subject, "condition": condition, "view": view}


def summary(rank1: float | None, **changes: Any) -> dict[str, Any]:
    there = rank1 is not None
    return {
        "rank_pct": {"1": rank1, "5": 99.996 if there else None},
        "map_pct": 50.0 if there else None,
        "minp_pct": 12.345678 if there else None,
        "rank1_ci_pct": [rank1 - 2, rank1 + 1.5] if rank1 is not None else None,
        "n_probe": 20 if there else 0,
        "n_gallery": 40,
        "n_unmatched": 0,
        "n_not_compared": 0,
    } | changes


def probe(rank1: float | None, note: str = "") -> dict[str, Any]:
    cells = {
        "probe_view": ["000", "000", "090", "090"],
        "gallery_view": ["000", "090", "000", "090"],
        "rank1_pct": [None, rank1, rank1, None],
        "map_pct": [None, 1.0, 2.0, None],
        "minp_pct": [None, 1.0, 2.0, None],
        "n_probe": [0, 10, 10, 0],
        "n_gallery": [20, 20, 20, 20],
        "n_unmatched": [0, 0, 0, 0],
    }
    curve = [] if rank1 is None else [rank1, 99.0]
    return {"summary": summary(rank1), "cmc_pct": curve, "cells": cells, "note": note}


def metrics(
    save_name: str = "paper", probes: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    return {
        "format": "gait-metrics-1",
        "dataset": "Toy",
        "model": "GaitSet",
        "save_name": save_name,
        "iterations": 400,
        "seed": 0,
        "distance": "euclidean",
        "n_subjects": 5,
        "protocols": {
            "single_view": {
                "title": "rank-1",
                "cells": "view_pair",
                "exclude": "identical_view",
                "probes": probes or {"NM": probe(95.8333), "CL": probe(70.125)},
                "mean": summary(82.97915),
            }
        },
    } | changes


def table(path: Path, save_name: str = "paper", **changes: Any) -> Path:
    rows = report_rows(Metrics.model_validate(metrics(save_name, **changes)), [])
    write_table(path, Row, rows)
    return path


def sealed_npz(path: Path, *, is_compressed: bool = False, **arrays: Any) -> None:
    """An archive of arrays with its digest."""
    (np.savez_compressed if is_compressed else np.savez)(path, **arrays)
    seal_zip(path)
