"""The commands that take over what OpenGait's users have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gait.cli.app import app


@app.command()
def import_checkpoint(
    source: Annotated[Path, typer.Argument(help="An OpenGait checkpoint, .pt.")],
    config: Annotated[Path, typer.Option(help="The OpenGait YAML it was trained with.")],
    output: Annotated[Path, typer.Option(help="The weights file to write.")],
) -> None:
    """Turn a published OpenGait checkpoint into weights an experiment can start from."""
    from gait.compat.opengait import import_checkpoint

    import_checkpoint(source, config, output)


@app.command()
def import_config(
    source: Annotated[Path, typer.Argument(help="An OpenGait YAML.")],
    output: Annotated[Path | None, typer.Option(help="The experiment to write.")] = None,
) -> None:
    """Turn an OpenGait YAML into an experiment; keys without effect there are reported."""
    from gait.compat.opengait import import_config
    from gait.files import write_if_changed

    text = import_config(source)
    if output is None:
        print(text, end="")
    else:
        write_if_changed(output, text)
