"""Reads `metrics.json`, as scoring wrote it: percent, unrounded, None where there is no value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Tag, ValidationError, model_validator

from gait.config.protocol import kind_of
from gait.config.resolved import identity
from gait.config.schema import Strict, problems_of
from gait.errors import DataError
from gait.formats.seal import read_sealed_json
from gait.screen import shown

_AGAIN = "run gait score again, or delete it and run the workflow again"
# What tables have columns for.
_RANKS = (1, 5)
_RATES = ("1e-2", "1e-3", "1e-4")


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

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if len({len(column) for _, column in self}) > 1:
            raise ValueError("expected columns of one length")
        return self


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

    @model_validator(mode="after")
    def _has_ranks(self) -> Self:
        if not self.rank_pct.keys() >= set(_RANKS):
            raise ValueError(f"expected the ranks {_RANKS} in rank_pct")
        return self


class Probe(Strict):
    """One probe row; `cmc_pct` is the percentage at rank 1, 2, ..."""

    summary: Summary
    cmc_pct: list[float]
    cells: Cells
    note: str


class Retrieval(Strict):
    """A retrieval's rows and their mean."""

    kind: Literal["retrieval"] = "retrieval"
    title: str
    cells: Literal["view_pair", "probe_view", "pooled"]
    exclude: str
    probes: dict[str, Probe]
    mean: Summary

    @model_validator(mode="after")
    def _is_a_grid(self) -> Self:
        for name, each in self.probes.items():
            grid = len(set(each.cells.probe_view)) * len(set(each.cells.gallery_view))
            if self.cells == "view_pair" and grid != len(each.cells.probe_view):
                raise ValueError(f"expected a cell for each pair of views of {name}")
        return self


class PairSummary(Strict):
    """The figures of one row of a verification's table; `tar_pct` is by false acceptance rate."""

    eer_pct: float | None
    tar_pct: dict[str, float | None]
    n_probe: int
    n_gallery: int
    n_genuine: int
    n_impostor: int

    @model_validator(mode="after")
    def _has_rates(self) -> Self:
        if not self.tar_pct.keys() >= set(_RATES):
            raise ValueError(f"expected the rates {_RATES} in tar_pct")
        return self


class PairProbe(Strict):
    """One probe row of a verification."""

    summary: PairSummary
    note: str


class Verification(Strict):
    """A verification's rows and their mean."""

    kind: Literal["verification"]
    title: str
    probes: dict[str, PairProbe]
    mean: PairSummary


class Category(Strict):
    """How well one category is told from all others."""

    recall_pct: float | None
    specificity_pct: float | None
    precision_pct: float | None
    f1_pct: float | None
    n_sequences: int
    note: str


class Classification(Strict):
    """Means over categories, each category, and sequences by category as it is and as told."""

    kind: Literal["classification"]
    title: str
    accuracy_pct: float
    accuracy_ci_pct: tuple[float, float] | None
    precision_pct: float
    recall_pct: float
    f1_pct: float
    specificity_pct: float | None
    n_sequences: int
    categories: dict[str, Category]
    confusion: list[list[int]]

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        size = len(self.categories)
        if [len(row) for row in self.confusion] != [size] * size:
            raise ValueError(f"expected {size} rows of {size} in confusion")
        return self


class Submission(Strict):
    """A file for others to score, as its lines."""

    kind: Literal["submission"]
    title: str
    lines: list[str]
    n_probe: int
    n_gallery: int
    note: str


class Segmentation(Strict):
    """Intersection over union with the silhouettes, as a mean over frames."""

    kind: Literal["segmentation"]
    title: str
    miou_pct: float
    n_sequences: int
    n_frames: int


Protocol = Annotated[
    Annotated[Retrieval, Tag("retrieval")]
    | Annotated[Verification, Tag("verification")]
    | Annotated[Classification, Tag("classification")]
    | Annotated[Submission, Tag("submission")]
    | Annotated[Segmentation, Tag("segmentation")],
    Discriminator(kind_of),
]


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
        DataError: the file is missing or damaged, or is not what `gait score` writes.
    """
    data = read_sealed_json(path, _AGAIN)
    try:
        return Metrics.model_validate(data)
    except ValidationError as error:
        where, what = problems_of(error, Metrics)[0]
    raise DataError(
        f"{path}: expected metrics as gait score writes them ({shown(f'{where} {what}', 300)}); "
        f"{_AGAIN}"
    )
