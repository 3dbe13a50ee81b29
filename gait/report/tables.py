"""The tables of results: `report.csv`, `views.csv`, and the tables above an experiment's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import get_args

from gait.config.published import MEAN, Published, comparable
from gait.errors import DataError
from gait.formats.seal import write_sealed_table
from gait.formats.tables import read_table, sheet_text
from gait.report.metrics import (
    Classification,
    Metrics,
    Retrieval,
    Segmentation,
    Submission,
    Verification,
)

_AGAIN = "make it again with gait report or gait merge-tables"
_KINDS = tuple(
    str(get_args(each.model_fields["kind"].annotation)[0])
    for each in (Retrieval, Verification, Classification, Submission, Segmentation)
)
# A percentage, a count, or nothing.
_NUMBER = re.compile(r"(-?[0-9]{1,20}(\.[0-9]{1,20})?)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `report.csv`: every value as it is written, empty where it does not apply.

    Percentages have two decimals. `probe` is a probe row of the protocol, or a category; 'mean'
    is the plain mean of the probes, or the whole of a classification: its accuracy, and the means
    over categories. The recall of a category is its sensitivity. `published_by` says whose
    figure the published one is, and whether it is of another recipe than the experiment's.
    `tar_far_1e_2_pct` is the share of true pairs accepted when no more than one false pair in 100
    is. `note` says why values are missing. `trained_on` is the dataset of the experiment where it
    is tested on another one, which is `dataset` then.
    """

    dataset: str
    model: str
    save_name: str
    protocol: str = ""
    probe: str = ""
    rank1_pct: str = ""
    rank5_pct: str = ""
    map_pct: str = ""
    minp_pct: str = ""
    n_probe: str = ""
    n_gallery: str = ""
    rank1_ci_low_pct: str = ""
    rank1_ci_high_pct: str = ""
    published_rank1_pct: str = ""
    published_by: str = ""
    iterations: str = ""
    seed: str = ""
    kind: str = ""
    accuracy_pct: str = ""
    accuracy_ci_low_pct: str = ""
    accuracy_ci_high_pct: str = ""
    precision_pct: str = ""
    recall_pct: str = ""
    f1_pct: str = ""
    specificity_pct: str = ""
    eer_pct: str = ""
    tar_far_1e_2_pct: str = ""
    tar_far_1e_3_pct: str = ""
    tar_far_1e_4_pct: str = ""
    miou_pct: str = ""
    note: str = ""
    trained_on: str = ""

    @property
    def name(self) -> str:
        """`<model>/<save_name>`, and what it was trained on where that is another dataset."""
        trained = f", trained on {self.trained_on}" if self.trained_on else ""
        return f"{self.model}/{self.save_name}{trained}"

    @property
    def experiment(self) -> str:
        """`<dataset>/<name>`: tells rows of different experiments apart."""
        return f"{self.dataset}/{self.name}"


_NUMBERS = [
    each.name
    for each in fields(Row)
    if each.name.endswith("_pct") or each.name in ("n_probe", "n_gallery", "iterations", "seed")
]


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A row of `views.csv`: rank-1 of one cell; a view is 'all' where a cell holds every view."""

    protocol: str
    probe: str
    probe_view: str
    gallery_view: str
    rank1_pct: str
    n_probe: str
    n_gallery: str


def report_rows(metrics: Metrics, published: list[Published]) -> list[Row]:
    """The rows of an experiment: each protocol's probes or categories, then their mean.

    The published mean is given when it is printed, or every probe has a published figure. Each
    protocol takes published figures of one source, see `comparable`.
    """
    rows: list[Row] = []
    for name, protocol in metrics.protocols.items():
        common = Row(
            dataset=metrics.dataset,
            model=metrics.model,
            save_name=metrics.save_name,
            protocol=name,
            iterations=str(metrics.iterations),
            seed=str(metrics.seed),
            kind=protocol.kind,
            trained_on=metrics.trained_on,
        )
        match protocol:
            case Retrieval():
                own = _retrieval_rows(common, protocol)
            case Verification():
                own = _verification_rows(common, protocol)
            case Classification():
                own = _classification_rows(common, protocol)
            case Submission():
                own = [_submission_row(common, protocol)]
            case Segmentation():
                own = [_segmentation_row(common, protocol)]
        rows += _with_published(own, published)
    return rows


def view_rows(metrics: Metrics) -> list[ViewRow]:
    """Every cell of every retrieval, in long form."""
    return [
        ViewRow(name, probe, probe_view, gallery_view, percent(rank1), str(probes), str(gallery))
        for name, protocol in metrics.protocols.items()
        if isinstance(protocol, Retrieval)
        for probe, each in protocol.probes.items()
        for probe_view, gallery_view, rank1, probes, gallery in zip(
            each.cells.probe_view,
            each.cells.gallery_view,
            each.cells.rank1_pct,
            each.cells.n_probe,
            each.cells.n_gallery,
            strict=True,
        )
    ]


def merge_tables(reports: list[Path], output: Path, notes: list[str]) -> None:
    """Put tables under each other, then a row for each experiment that could not be run.

    An experiment that stands in several tables, as a baseline does, is taken once.

    Args:
        notes: `<dataset>/<model>/<save_name>: why` for each experiment without a table.

    Raises:
        DataError: a file is no such table, two tables disagree on a row, or a note names no
            experiment.
    """
    write_table(output, Row, [*merged(reports), *(_note_row(note) for note in notes)])


def merged(reports: Iterable[Path]) -> list[Row]:
    """The rows of several tables, each once, in order.

    Raises:
        DataError: a file is no such table, or two tables disagree on a row.
    """
    found: dict[tuple[str, str, str], Row] = {}
    for path in reports:
        for row in read_report(path):
            key = (row.experiment, row.protocol, row.probe)
            if found.setdefault(key, row) != row:
                raise DataError(
                    f"{path}: its row {' '.join(each for each in key if each)} differs from the "
                    "same row of another table; make the older of them again"
                )
    return list(found.values())


def read_report(path: Path) -> list[Row]:
    """The rows of a `report.csv`; columns that this version does not know are left out.

    Raises:
        DataError: the file is missing or damaged, lacks a column, or has a cell that does not
            belong there.
    """
    given, lines = read_table(path, _AGAIN)
    names = [field.name for field in fields(Row)]
    if missing := [name for name in names if name not in given]:
        raise DataError(
            f"{path}: expected a table as gait report writes it, the columns "
            f"{', '.join(missing)} are missing; {_AGAIN}"
        )
    places = [given.index(name) for name in names]
    rows = [Row(*(line[place] for place in places)) for line in lines]
    for number, row in enumerate(rows, start=2):
        for name in _NUMBERS:
            if not _NUMBER.fullmatch(getattr(row, name)):
                raise DataError(
                    f"{path}, line {number}: expected a number or nothing as {name}, got "
                    f"{getattr(row, name)[:40]!r}; {_AGAIN}"
                )
        if row.kind not in _KINDS and (row.kind or row.protocol):
            raise DataError(
                f"{path}, line {number}: expected one of {', '.join(_KINDS)} as kind, got "
                f"{row.kind[:40]!r}; {_AGAIN}"
            )
    return rows


def write_table(path: Path, kind: type[Row | ViewRow], rows: Iterable[Row | ViewRow]) -> None:
    """Write rows as CSV, UTF-8, with a header; the same rows give the same bytes."""
    names = [field.name for field in fields(kind)]
    cells = ([getattr(row, name) for name in names] for row in rows)
    write_sealed_table(path, sheet_text(names, cells))


def percent(value: float | None) -> str:
    """A percentage with two decimals, empty for None."""
    return "" if value is None else f"{value:.2f}"


def mean_of(values: list[float | None]) -> float | None:
    """The plain mean; None as soon as one value is missing."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there and len(there) == len(values) else None


def _with_published(rows: list[Row], published: list[Published]) -> list[Row]:
    """The rows of a protocol with the published rank-1 of each."""
    first = rows[0]
    # Another seed is the same recipe.
    save_name = first.save_name.partition("@")[0]
    theirs = comparable(published, first.model, save_name, first.protocol)
    if theirs is None:
        return rows
    figures = {row.probe: theirs.rank1_pct.get(row.probe) for row in rows}
    if figures.get(MEAN) is None:
        figures[MEAN] = mean_of([figures[each] for each in figures if each != MEAN])
    return [
        row
        if (figure := figures[row.probe]) is None
        else replace(
            row, published_rank1_pct=percent(figure), published_by=theirs.beside(save_name)
        )
        for row in rows
    ]


def _retrieval_rows(common: Row, protocol: Retrieval) -> list[Row]:
    summaries = [(probe, each.summary, each.note) for probe, each in protocol.probes.items()]
    rows = []
    for probe, summary, note in [*summaries, (MEAN, protocol.mean, "")]:
        low, high = summary.rank1_ci_pct or (None, None)
        rows.append(
            replace(
                common,
                probe=probe,
                rank1_pct=percent(summary.rank_pct[1]),
                rank5_pct=percent(summary.rank_pct[5]),
                map_pct=percent(summary.map_pct),
                minp_pct=percent(summary.minp_pct),
                n_probe=str(summary.n_probe),
                n_gallery=str(summary.n_gallery),
                rank1_ci_low_pct=percent(low),
                rank1_ci_high_pct=percent(high),
                note=note,
            )
        )
    return rows


def _verification_rows(common: Row, protocol: Verification) -> list[Row]:
    summaries = [(probe, each.summary, each.note) for probe, each in protocol.probes.items()]
    return [
        replace(
            common,
            probe=probe,
            eer_pct=percent(summary.eer_pct),
            tar_far_1e_2_pct=percent(summary.tar_pct["1e-2"]),
            tar_far_1e_3_pct=percent(summary.tar_pct["1e-3"]),
            tar_far_1e_4_pct=percent(summary.tar_pct["1e-4"]),
            n_probe=str(summary.n_probe),
            n_gallery=str(summary.n_gallery),
            note=note,
        )
        for probe, summary, note in [*summaries, (MEAN, protocol.mean, "")]
    ]


def _classification_rows(common: Row, protocol: Classification) -> list[Row]:
    low, high = protocol.accuracy_ci_pct or (None, None)
    rows = [
        replace(
            common,
            probe=name,
            precision_pct=percent(each.precision_pct),
            recall_pct=percent(each.recall_pct),
            f1_pct=percent(each.f1_pct),
            specificity_pct=percent(each.specificity_pct),
            n_probe=str(each.n_sequences),
            note=each.note,
        )
        for name, each in protocol.categories.items()
    ]
    whole = replace(
        common,
        probe=MEAN,
        accuracy_pct=percent(protocol.accuracy_pct),
        accuracy_ci_low_pct=percent(low),
        accuracy_ci_high_pct=percent(high),
        precision_pct=percent(protocol.precision_pct),
        recall_pct=percent(protocol.recall_pct),
        f1_pct=percent(protocol.f1_pct),
        specificity_pct=percent(protocol.specificity_pct),
        n_probe=str(protocol.n_sequences),
    )
    return [*rows, whole]


def _submission_row(common: Row, protocol: Submission) -> Row:
    whose = f"only its organisers can score it, from {common.protocol}.csv"
    return replace(
        common,
        probe="all",
        n_probe=str(protocol.n_probe),
        n_gallery=str(protocol.n_gallery),
        note="; ".join(filter(None, [whose, protocol.note])),
    )


def _segmentation_row(common: Row, protocol: Segmentation) -> Row:
    return replace(
        common,
        probe="all",
        n_probe=str(protocol.n_sequences),
        miou_pct=percent(protocol.miou_pct),
    )


def _note_row(note: str) -> Row:
    experiment, colon, why = note.partition(": ")
    dataset, model, save_name, *more = [*experiment.split("/"), "", ""]
    if not (colon and dataset and model and save_name) or any(more):
        raise DataError(f"expected a note '<dataset>/<model>/<save_name>: why', got {note!r}")
    return Row(dataset, model, save_name, note=why)
