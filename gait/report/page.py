"""Makes `results/report.html`: every table and figure in one page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gait.files import atomic_path
from gait.report.tables import MEAN, Row, merged, read_report

# In the order of the page; the figures by view, named after their protocols, come second.
_CAPTIONS = {
    "rank1": "Rank-1, its 95 % interval when the subjects are resampled, and the published figure",
    "cmc": "Share of probes identified up to each rank",
    "training": "Losses while training",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    rank1: str
    interval: str
    published: str
    mean: bool


@dataclass(frozen=True, slots=True)
class _Line:
    experiment: str
    cells: list[_Cell]
    mean: Row


@dataclass(frozen=True, slots=True)
class _Protocol:
    name: str
    sizes: str
    probes: list[str]
    lines: list[_Line]


@dataclass(frozen=True, slots=True)
class _Figure:
    caption: str
    data: str


@dataclass(frozen=True, slots=True)
class _Experiment:
    name: str
    rows: list[Row]
    figures: list[_Figure]


@dataclass(frozen=True, slots=True)
class _Dataset:
    name: str
    anchor: str
    protocols: list[_Protocol]
    notes: list[str]
    experiments: list[_Experiment]
    quality: str


def page(reports: list[Path], output: Path, qualities: Sequence[Path] = ()) -> None:
    """Write one self-contained page from tables and the figures beside them.

    Args:
        reports: `report.csv` files; figures are taken from the folder `figures` beside a table
            that holds a single experiment.
        qualities: quality reports, `<dataset>/quality.html` beside the page, to be linked to.

    Raises:
        DataError: a file is no such table, or two tables disagree on a row.
    """
    rows = merged(reports)
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
    text = template.render(datasets=datasets, mean=MEAN, interval=_interval)
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
                [row for row in scored if row.experiment == each],
                figures.get(each, []),
            )
            for each in experiments
        ],
        quality=quality,
    )


def _protocol(name: str, rows: list[Row]) -> _Protocol:
    probes = [each for each in dict.fromkeys(row.probe for row in rows) if each != MEAN]
    found = {(row.experiment, row.probe): row for row in rows}
    experiments = dict.fromkeys(row.experiment for row in rows)
    lines = []
    for each in experiments:
        cells = [_cell(found.get((each, probe))) for probe in [*probes, MEAN]]
        lines.append(_Line(each.partition("/")[2], cells, found[each, MEAN]))
    first = next(iter(experiments))
    sizes = ", ".join(
        f"{found[first, probe].n_probe} {probe}" for probe in probes if (first, probe) in found
    )
    gallery = found[first, MEAN].n_gallery
    return _Protocol(name, f"Probes: {sizes}; gallery: {gallery}.", [*probes, MEAN], lines)


def _cell(row: Row | None) -> _Cell:
    if row is None:
        return _Cell("", "", "", False)
    return _Cell(row.rank1_pct, _interval(row), row.published_rank1_pct, row.probe == MEAN)


def _interval(row: Row) -> str:
    low, high = row.rank1_ci_low_pct, row.rank1_ci_high_pct
    return f"{float(low):.1f} to {float(high):.1f}" if low else ""


def _where(row: Row) -> str:
    return " ".join(filter(None, [f"{row.model}/{row.save_name}", row.protocol, row.probe]))


def _figures(folder: Path) -> list[_Figure]:
    """The figures of an experiment, base64; none where the folder is missing."""
    order = list(_CAPTIONS)
    paths = sorted(
        folder.glob("*.svg"),
        key=lambda path: (order.index(path.stem) if path.stem in order else 1, path.stem),
    )
    return [
        _Figure(
            _CAPTIONS.get(path.stem, f"Rank-1 by view, {path.stem.removesuffix('-views')}"),
            base64.b64encode(path.read_bytes()).decode("ascii"),
        )
        for path in paths
    ]
