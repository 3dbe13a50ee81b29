"""Prints a table of results."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gait.config.published import MEAN
from gait.report.kinds import KINDS, published_by
from gait.report.matrix import Matrix, is_matrix, read_matrix
from gait.report.tables import Row, read_report
from gait.screen import printable, styled_output

WIDTH = 100
_MATRIX_MEANING = (
    "Mean rank-1 of a protocol in percent: mean over seeds ± their standard deviation (their "
    "number). Bold: the dataset trained on."
)


def show(report_csv: Path) -> None:
    """Print `report.csv`, one table for each protocol, and where the files are; or `matrix.csv`.

    Raises:
        DataError: the file is missing or is no such table.
    """
    console = Console(width=WIDTH, highlight=False, file=styled_output())
    if is_matrix(report_csv):
        _show_matrix(read_matrix(report_csv), report_csv, console)
        return
    rows = read_report(report_csv)
    scored = [row for row in rows if row.protocol]
    # Experiments and probes keep the order of the file.
    order = dict.fromkeys((row.dataset, row.protocol) for row in scored)
    for dataset, protocol in order:
        own = [row for row in scored if (row.dataset, row.protocol) == (dataset, protocol)]
        console.print(_table(f"{dataset}, {protocol}", own))
        for sentence in published_by(own, lambda row: row.name):
            console.print(Text(printable(sentence)))
    for row in rows:
        if row.note:
            what = " ".join(filter(None, [row.experiment, row.protocol, row.probe]))
            console.print(Text(printable(f"{what}: {row.note}")))
    meanings = [KINDS[kind].meaning for kind in dict.fromkeys(row.kind for row in scored)]
    console.print(Text(" ".join(["Percent.", *meanings]), style="dim"))
    console.print(Text(printable(f"table    {report_csv}")))
    for name, what in (("views.csv", "views   "), ("figures", "figures ")):
        beside = report_csv.with_name(name)
        if beside.exists():
            console.print(Text(printable(f"{what} {beside}")))


def _show_matrix(matrix: Matrix, path: Path, console: Console) -> None:
    table = _empty("trained on (down), tested on (across)")
    for name in ("experiment", "trained on"):
        table.add_column(name, overflow="fold")
    for column in matrix.columns:
        header = Text("\n".join(map(printable, column.split("/"))))
        table.add_column(header, justify="right", overflow="fold")
    for row in matrix.rows:
        table.add_row(
            Text(printable(f"{row.model}/{row.save_name}")),
            Text(printable(row.trained_on)),
            *(
                Text(printable(str(row.cells[column])), style="bold" if row.is_own(column) else "")
                for column in matrix.columns
            ),
        )
    console.print(table)
    for row in matrix.rows:
        if row.note:
            console.print(
                Text(printable(f"{row.trained_on}/{row.model}/{row.save_name}: {row.note}"))
            )
    console.print(Text(_MATRIX_MEANING, style="dim"))
    console.print(Text(printable(f"table    {path}")))


def _empty(title: str) -> Table:
    return Table(
        title=Text(printable(title), style="bold"),
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def _table(title: str, rows: list[Row]) -> Table:
    table = _empty(title)
    table.add_column("experiment", overflow="fold")
    table.add_column("probe", overflow="fold")
    columns = KINDS[rows[0].kind].columns
    for number, column in enumerate(columns):
        style = "bold" if number == 0 else None
        table.add_column(column.label, justify="right", no_wrap=True, style=style)
    for experiment, group in groupby(rows, key=lambda row: row.name):
        members = list(group)
        for number, row in enumerate(members):
            table.add_row(
                Text(printable(experiment) if number == 0 else ""),
                Text(printable(row.probe)),
                *(Text(printable(column.value(row))) for column in columns),
                style="italic" if row.probe == MEAN else None,
                end_section=number == len(members) - 1,
            )
    return table
