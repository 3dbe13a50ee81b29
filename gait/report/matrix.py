"""The table of what was trained on one dataset and tested on another, over several seeds."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev

from gait.errors import DataError
from gait.formats.seal import write_sealed_table
from gait.formats.tables import read_table, sheet_text
from gait.report.metrics import Metrics, Retrieval, read_metrics
from gait.report.tables import percent

_NAMES = ("model", "save_name", "trained_on")
_NOTE = "note"
_HEADER_BYTES = 200
_AGAIN = "make it again with gait matrix"
# Of each tested dataset and protocol, behind `<dataset>/<protocol>:`.
_FIGURES = ("rank1_pct", "sd_pct", "seeds")


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """Rank-1, the mean of a protocol's rows, as it is written.

    Attributes:
        rank1_pct: mean over the seeds; empty where none has a value.
        sd_pct: standard deviation between seeds, n - 1 in its denominator; empty for one seed.
        seeds: number of seeds with a value.
    """

    rank1_pct: str = ""
    sd_pct: str = ""
    seeds: str = ""

    def __str__(self) -> str:
        spread = f" ± {self.sd_pct} ({self.seeds})" if self.sd_pct else ""
        return self.rank1_pct + spread


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """An experiment, whichever its seed; cells by `<tested dataset>/<protocol>`."""

    model: str
    save_name: str
    trained_on: str
    cells: dict[str, MatrixCell] = field(default_factory=dict)
    note: str = ""

    def is_own(self, column: str) -> bool:
        """Whether a column is of the dataset that the experiment is trained on."""
        return column.partition("/")[0] == self.trained_on


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows by experiment, columns by `<tested dataset>/<protocol>`."""

    columns: list[str]
    rows: list[MatrixRow]


def tabulate_matrix(metrics: list[Path], output: Path, notes: list[str]) -> None:
    """Write the matrix of experiments: runs that differ in their seed only are one row.

    It has the protocols that give a rank-1; others, such as a classification, are left out.

    Args:
        metrics: `metrics.json` of each run and tested dataset.
        notes: `<dataset>/<model>/<save_name>: why` for each experiment without metrics.

    Raises:
        DataError: a file holds no metrics, two have the same experiment, seed and tested dataset,
            or a note names no experiment.
    """
    columns: dict[str, None] = {}
    found: dict[tuple[str, str, str], dict[str, dict[int, float | None]]] = {}
    for path in metrics:
        scores = read_metrics(path)
        row = found.setdefault(_key(scores), {})
        for protocol, result in scores.protocols.items():
            if not isinstance(result, Retrieval):
                continue
            column = f"{scores.dataset}/{protocol}"
            columns[column] = None
            values = row.setdefault(column, {})
            if scores.seed in values:
                raise DataError(
                    f"{path}: another file has the metrics of seed {scores.seed} of "
                    f"{'/'.join(_key(scores))} on {scores.dataset}; give one of them"
                )
            values[scores.seed] = result.mean.rank_pct[1]
    rows = [
        MatrixRow(*key, {column: _cell(list(values.values())) for column, values in row.items()})
        for key, row in found.items()
    ]
    _write(Matrix(list(columns), rows + [_noted(note) for note in notes]), output)


def is_matrix(path: Path) -> bool:
    """Whether a table is a matrix, by its first line; not for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            begin = file.readline(_HEADER_BYTES).removeprefix(codecs.BOM_UTF8)
            return begin.startswith(",".join(_NAMES).encode())
    except OSError:
        return False


def read_matrix(path: Path) -> Matrix:
    """A matrix as `tabulate_matrix` wrote it.

    Raises:
        DataError: the file is missing or is no such table.
    """
    header, lines = read_table(path, _AGAIN)
    first = f":{_FIGURES[0]}"
    columns = [each.removesuffix(first) for each in header if each.endswith(first)]
    needed = [*_NAMES, *(f"{column}:{each}" for column in columns for each in _FIGURES), _NOTE]
    missing = [name for name in needed if name not in header]
    if missing or tuple(header[: len(_NAMES)]) != _NAMES:
        raise DataError(
            f"{path}: expected a table as gait matrix writes it, with the columns "
            f"{', '.join(needed)[:400]}; {_AGAIN}"
        )
    rows = []
    for line in (dict(zip(header, each, strict=True)) for each in lines):
        cells = {
            column: MatrixCell(*(line[f"{column}:{each}"] for each in _FIGURES))
            for column in columns
        }
        model, save_name, trained_on = (line[name] for name in _NAMES)
        rows.append(MatrixRow(model, save_name, trained_on, cells, line[_NOTE]))
    return Matrix(columns, rows)


def _key(scores: Metrics) -> tuple[str, str, str]:
    """Model, save_name without a seed, and the dataset trained on."""
    save_name = scores.save_name.partition("@")[0]
    return scores.model, save_name, scores.trained_on or scores.dataset


def _cell(values: list[float | None]) -> MatrixCell:
    there = [value for value in values if value is not None]
    mean = fmean(there) if there else None
    spread = stdev(there) if len(there) > 1 else None
    return MatrixCell(percent(mean), percent(spread), str(len(there)))


def _noted(note: str) -> MatrixRow:
    experiment, _, why = note.partition(": ")
    parts = experiment.split("/")
    if len(parts) != 3 or not all(parts) or not why:
        raise DataError(f"expected a note '<dataset>/<model>/<save_name>: why', got {note!r}")
    dataset, model, save_name = parts
    return MatrixRow(model, save_name, dataset, note=why)


def _write(matrix: Matrix, output: Path) -> None:
    figures = [f"{column}:{each}" for column in matrix.columns for each in _FIGURES]
    lines = []
    for row in matrix.rows:
        cells = [row.cells.get(column, MatrixCell()) for column in matrix.columns]
        values = [value for each in cells for value in (each.rank1_pct, each.sd_pct, each.seeds)]
        lines.append([row.model, row.save_name, row.trained_on, *values, row.note])
    write_sealed_table(output, sheet_text([*_NAMES, *figures, _NOTE], lines))
