"""The errors a user can cause: what was received, what was expected, what to change."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GaitError(Exception):
    """Base of all errors that are reported as one sentence, without a traceback."""

    def __str__(self) -> str:
        # A loader raises again what one of its processes has raised, with a traceback as its text.
        text = super().__str__()
        mark = f"\n{type(self).__module__}.{type(self).__qualname__}: "
        is_from_worker = text.startswith("Caught ") and mark in text
        return text.rpartition(mark)[2].rstrip() if is_from_worker else text


class ConfigError(GaitError, ValueError):
    """A configuration file, or several, cannot be used; the message lists every problem found."""

    def __init__(self, problems: Iterable[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class DataError(GaitError, ValueError):
    """Raw data, a silhouette, a pkl, a manifest or a packed store is missing or malformed."""


class CheckpointError(GaitError, ValueError):
    """Weights or training state do not fit the model, the configuration or the data."""


class TrainingError(GaitError, RuntimeError):
    """Training had to stop on purpose, for instance on a loss that is not finite."""


class MissingExtraError(GaitError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra [{extra}]: pip install 'gait[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause naming the known names closest to `name`, for the end of an error message."""
    known = sorted(known)
    lowered = {each.lower(): each for each in known}
    matches = get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    if matches:
        return "did you mean " + " or ".join(repr(lowered[each]) for each in matches) + "?"
    return "known: " + ", ".join(known) if known else "none is known"
