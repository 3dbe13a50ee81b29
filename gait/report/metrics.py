"""Reads `metrics.json`, as scoring wrote it: percent, unrounded, None where there is no value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from gait.config.experiment import identity
from gait.config.schema import Strict, problems_of
from gait.errors import DataError


class Cells(Strict):
    """Rank-1 and counts by probe view and gallery view, as columns of equal length."""

    probe_view: list[str]
    gallery_view: list[str]
    rank1_pct: list[float | None]
    map_pct: list[float | None]
    minp_pct: list[float | None]
    n_probe: list[int]
    n_gallery: list[int]
    n_unmatched: list[int]


class Summary(Strict):
    """The figures of one row of a table."""

    rank_pct: dict[int, float | None]
    map_pct: float | None
    minp_pct: float | None
    rank1_ci_pct: tuple[float, float] | None
    n_probe: int
    n_gallery: int
    n_unmatched: int
    n_not_compared: int


class Probe(Strict):
    """One probe row; `cmc_pct` is the percentage at rank 1, 2, ..."""

    summary: Summary
    cmc_pct: list[float]
    cells: Cells
    note: str


class Protocol(Strict):
    """A protocol's rows and their mean."""

    title: str
    cells: Literal["view_pair", "probe_view", "pooled"]
    exclude: str
    probes: dict[str, Probe]
    mean: Summary


class Metrics(Strict):
    """One experiment's scores; `trained_on` is another dataset than `dataset`, or empty."""

    format: Literal["gait-metrics-1"]
    dataset: str
    model: str
    save_name: str
    trained_on: str = ""
    iterations: int
    seed: int
    distance: str
    n_subjects: int
    protocols: dict[str, Protocol]

    @property
    def identity(self) -> str:
        """The output key of the experiment."""
        return identity(self.dataset, self.model, self.save_name, self.trained_on)


def read_metrics(path: Path) -> Metrics:
    """The scores of an experiment.

    Raises:
        DataError: the file is missing or is not what `gait score` writes.
    """
    try:
        return Metrics.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path}: the metrics cannot be read ({error.strerror})") from None
    except ValidationError as error:
        where, what = problems_of(error, Metrics)[0]
        problem = f"{where} {what}"
    except ValueError as error:
        problem = str(error)
    raise DataError(
        f"{path}: expected metrics as gait score writes them ({problem}); run gait score again"
    )
