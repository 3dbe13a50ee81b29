"""The command line: one subcommand for each arrow of the flow, and a few for people."""

from __future__ import annotations

import sys
import traceback
import warnings

# Importing the commands adds them, in the order in which `gait --help` lists them.
from gait.cli import prepare  # isort: skip
from gait.cli import experiments  # isort: skip
from gait.cli import results  # isort: skip
from gait.cli import foreign  # isort: skip
from gait.cli.app import app
from gait.errors import GaitError, unforeseen
from gait.processes import follow_workflow
from gait.screen import escape_streams

__all__ = ["app", "experiments", "foreign", "main", "prepare", "results"]


def main() -> None:
    """Run a subcommand; an error a user can mend is one sentence, last on the screen."""
    escape_streams()
    warnings.formatwarning = lambda message, *_, **__: f"gait: warning: {message}\n"
    follow_workflow()
    try:
        app()
    except GaitError as error:
        for line in error.problems:
            print(f"gait: error: {line}", file=sys.stderr)
        sys.exit(1)
    # Of a fault of ours, too, the last line says what it is.
    except Exception as error:
        traceback.print_exc()
        print(f"gait: error: {unforeseen(error)}", file=sys.stderr)
        sys.exit(1)
