"""The commands for people: tables above experiments, pages and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gait.cli.app import Root, app
from gait.project import project_root


@app.command()
def merge_tables(
    output: Annotated[Path, typer.Option(help="The table to write.")],
    reports: Annotated[
        list[Path] | None, typer.Argument(help="Tables to put under each other.")
    ] = None,
    note: Annotated[list[str] | None, typer.Option(help="<experiment>: why it is absent")] = None,
) -> None:
    """Put tables under each other."""
    from gait.report import merge_tables

    merge_tables(reports or [], output, note or [])


@app.command()
def matrix(
    output: Annotated[Path, typer.Option(help="The table to write.")],
    metrics: Annotated[
        list[Path] | None, typer.Argument(help="metrics.json of runs on the datasets tested.")
    ] = None,
    note: Annotated[list[str] | None, typer.Option(help="<experiment>: why it is absent")] = None,
) -> None:
    """Compare experiments trained and tested on several datasets, with several seeds."""
    from gait.report import tabulate_matrix

    tabulate_matrix(metrics or [], output, note or [])


@app.command()
def show(report: Annotated[Path, typer.Argument(help="A report.csv or a matrix.csv.")]) -> None:
    """Print a table of results."""
    from gait.report import show

    show(report)


@app.command()
def models(
    output: Annotated[
        Path | None, typer.Option(help="Write a page, docs/zoo.md, instead of printing.")
    ] = None,
) -> None:
    """List the models: what they read, their size and cost, papers and published figures."""
    from gait.files import write_if_changed
    from gait.zoo.models import zoo
    from gait.zoo.page import show_zoo, zoo_page

    found = zoo(project_root())
    if output is None:
        show_zoo(found)
    else:
        write_if_changed(output, zoo_page(found))


@app.command()
def datasets(
    output: Annotated[
        Path | None, typer.Option(help="Write a page, docs/datasets.md, instead of printing.")
    ] = None,
) -> None:
    """List the datasets: what they hold, how they are scored, and what to put where."""
    from gait.files import write_if_changed
    from gait.report.datasets import datasets_page, defined, show_datasets

    found = defined(project_root())
    if output is None:
        show_datasets(found)
    else:
        write_if_changed(output, datasets_page(found))


@app.command()
def quality(
    dataset: Annotated[str, typer.Argument(help="The dataset's name.")],
    root: Root,
    table: Annotated[Path, typer.Option(help="The table to write.")],
    output: Annotated[Path, typer.Option(help="The page to write.")],
) -> None:
    """Sum up what was kept and dropped of a packed dataset, with a contact sheet."""
    from gait.report.quality_page import write_quality

    write_quality(dataset, root / "manifest.csv", root / "packed", table, output)


@app.command()
def html_report(
    output: Annotated[Path, typer.Option(help="The page to write.")],
    reports: Annotated[list[Path] | None, typer.Argument(help="Tables of experiments.")] = None,
    matrix: Annotated[Path | None, typer.Option(help="A matrix.csv to begin with.")] = None,
    quality: Annotated[
        list[Path] | None, typer.Option(help="<dataset>/quality.html, to be linked to.")
    ] = None,
) -> None:
    """Write the HTML report."""
    from gait.report import html_report

    html_report(reports or [], output, matrix, quality or [])
