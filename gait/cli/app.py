"""The program `gait`, and what its commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gait import __version__

app = typer.Typer(
    help="Gait recognition from raw video to a metric table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Arguments are not to be read as markup.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ExperimentName = Annotated[
    str,
    typer.Argument(
        help="<dataset>/<model>/<save_name> or .../on-<dataset>, or the path of a config.yaml."
    ),
]
Packed = Annotated[Path, typer.Option(help="The dataset's packed store.")]
Root = Annotated[Path, typer.Option(help="The dataset's folder, data/<dataset>.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that load data.")]


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Gait recognition from raw video to a metric table."""
    if show:
        print(__version__)
        raise typer.Exit
