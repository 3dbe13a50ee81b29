"""The errors a user can cause: what was received, what was expected, what to change."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import metadata, util
from pathlib import Path
from shlex import quote

from gait.screen import printable, shown

# What pyproject.toml calls this software. Nobody may be told to install it by its name, as an
# index may hold nothing of that name, or something else.
_DISTRIBUTION = "gait-from-video"


class GaitError(Exception):
    """Base of all errors that are reported as one sentence each, without a traceback.

    Attributes:
        problems: the sentences, each on a line, whatever stands in the names that they quote.
    """

    def __init__(self, problems: Iterable[str] | str = ()) -> None:
        given = self._sentences(problems) if isinstance(problems, str) else problems
        self.problems = [printable(each) for each in given]
        # What another process makes the error of again.
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)

    def _sentences(self, text: str) -> list[str]:
        # A loader raises again what one of its processes has raised, with a traceback as its text.
        inside = re.search(r"\nOriginal Traceback.*\n[\w.]*Error: (.*)", text, re.DOTALL)
        if text.startswith("Caught ") and inside:
            return inside[1].rstrip().split("\n")
        return [text]


class ConfigError(GaitError, ValueError):
    """A configuration file, or several, cannot be used; the message lists every problem found."""


class DataError(GaitError, ValueError):
    """Raw data, a silhouette, a pkl, a manifest or a packed store is missing or malformed."""


class CheckpointError(GaitError, ValueError):
    """Weights or training state do not fit the model, the configuration or the data."""


class TrainingError(GaitError, RuntimeError):
    """Training had to stop on purpose, for instance on a loss that is not finite."""


class MissingExtraError(GaitError, ImportError):
    """An optional dependency is needed and not installed.

    Attributes:
        lack: the same without the command that installs it, which differs by machine.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.lack = f"{what} needs the extra [{extra}]"
        super().__init__(f"{self.lack}: {_installing(extra)}")
        self.args = (what, extra)


def _installing(extra: str) -> str:
    """The command that installs an extra for the Python that runs."""
    python = quote(sys.executable)
    # An environment may have been made without a pip of its own.
    has_pip = util.find_spec("pip") is not None
    pip = f"{python} -m pip" if has_pip else f"python3 -m pip --python {python}"
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"{pip} install --editable {quote(f'{checkout}[{extra}]')}"
    try:
        stated = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        stated = []
    marked = (f'extra == "{extra}"', f"extra == '{extra}'")
    wanted = [each.partition(";")[0].strip() for each in stated if each.endswith(marked)]
    if not wanted:
        return "install it as its installation says, with that extra"
    return f"{pip} install {' '.join(map(quote, wanted))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause naming the known names closest to `name`, for the end of an error message."""
    known = sorted(known)
    lowered = {each.lower(): each for each in known}
    matches = get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    if matches:
        return "did you mean " + " or ".join(repr(lowered[each]) for each in matches) + "?"
    return "known: " + ", ".join(known) if known else "none is known"


def unforeseen(error: BaseException) -> str:
    """Return the message for an exception that is a fault of this software."""
    return (
        f"a fault of this software, unforeseen: {type(error).__name__}: {shown(error)}; "
        "please report it with its traceback, which is above or in the job's log"
    )
