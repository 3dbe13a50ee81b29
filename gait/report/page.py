"""Makes `results/report.html`: every table and figure in one page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gait.config.published import MEAN
from gait.files import atomic_path
from gait.report.kinds import KINDS, Column, interval_text, published_by
from gait.report.matrix import read_matrix
from gait.report.tables import Row, merged, read_report

# In the order of the page; those named after their protocols come second.
_CAPTIONS = {
    "rank1": "Rank-1, its 95 % interval when the subjects are resampled, and the published figure",
    "cmc": "Share of probes identified up to each rank",
    "training": "Losses while training",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    value: str
    interval: str
    published: str
    mean: bool


@dataclass(frozen=True, slots=True)
class _Line:
    experiment: str
    published_by: str
    cells: list[_Cell]
    of_mean: list[str]
    iterations: str
    seed: str


@dataclass(frozen=True, slots=True)
class _Protocol:
    name: str
    explained: str
    probes: list[str]
    of_mean: list[str]
    lines: list[_Line]


@dataclass(frozen=True, slots=True)
class _Figure:
    caption: str
    data: str


@dataclass(frozen=True, slots=True)
class _Table:
    columns: list[Column]
    rows: list[Row]
    published_by: list[str]


@dataclass(frozen=True, slots=True)
class _Experiment:
    name: str
    tables: list[_Table]
    figures: list[_Figure]


@dataclass(frozen=True, slots=True)
class _Dataset:
    name: str
    anchor: str
    protocols: list[_Protocol]
    notes: list[str]
    experiments: list[_Experiment]
    quality: str


def html_report(
    reports: list[Path],
    output: Path,
    matrix: Path | None = None,
    qualities: Sequence[Path] = (),
) -> None:
    """Write one self-contained page from tables and the figures beside them.

    Args:
        reports: `report.csv` files; figures are taken from the folder `figures` beside a table
            that holds a single experiment.
        matrix: a `matrix.csv`, if there is one to show.
        qualities: quality reports, `<dataset>/quality.html` beside the page, to be linked to.

    Raises:
        DataError: a file is no such table, or two tables disagree on a row.
    """
    rows = merged(reports)
    across = None if matrix is None else read_matrix(matrix)
    figures = {}
    for path in reports:
        experiments = {row.experiment for row in read_report(path)}
        if len(experiments) == 1:
            figures[experiments.pop()] = _figures(path.with_name("figures"))
    links = {path.parent.name: f"{path.parent.name}/{path.name}" for path in qualities}
    datasets = [
        _dataset(
            name,
            [row for row in rows if row.dataset == name],
            number,
            figures,
            links.get(name, ""),
        )
        for number, name in enumerate(dict.fromkeys(row.dataset for row in rows), 1)
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    template = environment.get_template("page.html.j2")
    text = template.render(datasets=datasets, mean=MEAN, matrix=across)
    with atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _dataset(
    name: str, rows: list[Row], number: int, figures: dict[str, list[_Figure]], quality: str
) -> _Dataset:
    scored = [row for row in rows if row.protocol]
    protocols = dict.fromkeys(row.protocol for row in scored)
    experiments = dict.fromkeys(row.experiment for row in scored)
    return _Dataset(
        name=name,
        anchor=f"dataset-{number}",
        protocols=[
            _protocol(each, [row for row in scored if row.protocol == each]) for each in protocols
        ],
        notes=[f"{_where(row)}: {row.note}" for row in rows if row.note],
        experiments=[
            _Experiment(
                each.partition("/")[2],
                _tables([row for row in scored if row.experiment == each]),
                figures.get(each, []),
            )
            for each in experiments
        ],
        quality=quality,
    )


def _tables(rows: list[Row]) -> list[_Table]:
    """One experiment's rows, those of each kind of protocol in a table of their own."""
    tables = []
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        sources = published_by(own, lambda row: row.protocol)
        tables.append(_Table(KINDS[kind].columns, own, sources))
    return tables


def _protocol(name: str, rows: list[Row]) -> _Protocol:
    kind = KINDS[rows[0].kind]
    found = {(row.experiment, row.probe): row for row in rows}
    # The mean comes last; a submission has none.
    probes = [each for each in dict.fromkeys(row.probe for row in rows) if each != MEAN]
    shown = [*probes, *dict.fromkeys(row.probe for row in rows if row.probe == MEAN)]
    experiments = dict.fromkeys(row.experiment for row in rows)
    lines = []
    for each in experiments:
        cells = [_cell(found.get((each, probe))) for probe in shown]
        mean = found.get((each, shown[-1]))
        of_mean = ["" if mean is None else column.value(mean) for column in kind.of_mean]
        own = [row for row in rows if row.experiment == each]
        whose = next((row.published_by for row in own if row.published_by), "")
        experiment = each.partition("/")[2]
        lines.append(_Line(experiment, whose, cells, of_mean, own[0].iterations, own[0].seed))
    first = next(iter(experiments))
    sizes = ", ".join(
        f"{found[first, probe].n_probe} {probe}" for probe in probes if (first, probe) in found
    )
    gallery = next(row.n_gallery for row in reversed(rows) if row.experiment == first)
    size = f"Probes: {sizes}; gallery: {gallery}." if gallery else f"Sequences: {sizes}."
    of_mean = [f"mean {column.label}" for column in kind.of_mean]
    return _Protocol(name, f"{size} {kind.meaning}", shown, of_mean, lines)


def _cell(row: Row | None) -> _Cell:
    if row is None:
        return _Cell("", "", "", False)
    value = KINDS[row.kind].headline(row)
    return _Cell(value, interval_text(row), row.published_rank1_pct, row.probe == MEAN)


def _where(row: Row) -> str:
    return " ".join(filter(None, [row.name, row.protocol, row.probe]))


def _figures(folder: Path) -> list[_Figure]:
    """The figures of an experiment, base64; none where the folder is missing."""
    order = list(_CAPTIONS)
    paths = sorted(
        folder.glob("*.svg"),
        key=lambda path: (order.index(path.stem) if path.stem in order else 1, path.stem),
    )
    return [
        _Figure(
            _caption(path.stem),
            base64.b64encode(path.read_bytes()).decode("ascii"),
        )
        for path in paths
    ]


def _caption(figure: str) -> str:
    """What a figure shows, by the name of its file."""
    if figure in _CAPTIONS:
        return _CAPTIONS[figure]
    protocol, _, what = figure.rpartition("-")
    if what == "confusion":
        return f"What is told of the sequences of each category, {protocol}"
    return f"Rank-1 by view, {protocol}"
