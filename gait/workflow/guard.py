"""Ends Snakemake by a sentence of ours where the workflow state cannot answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from gait.errors import GaitError

Result = TypeVar("Result")


def or_exit(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function; Snakemake would wrap its sentence in places of no interest.

    Raises:
        SystemExit: the function raises a `GaitError`, whose sentences are the last on the screen.
    """
    try:
        return function(*arguments)
    except GaitError as error:
        sys.exit("\n".join(f"gait: error: {problem}" for problem in error.problems))


class OrExit:
    """Passes attributes and calls on to an object, each as `or_exit` calls a function."""

    def __init__(self, of: object) -> None:
        self._of = of

    def __getattr__(self, name: str) -> Any:
        found = or_exit(getattr, self._of, name)
        if not callable(found):
            return found

        @wraps(found)
        def guarded(*arguments: Any) -> Any:
            return or_exit(found, *arguments)

        return guarded
