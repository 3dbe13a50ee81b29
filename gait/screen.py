"""Keeps text from outside from acting on the terminal that it is shown on."""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO

# Control characters, halves of characters, separators of lines, and what turns the direction of
# writing or has no width, by which a name is read as another one.
_ACTIVE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_ACTIVE_IN_LINES = re.compile(rf"(?![\n\t]){_ACTIVE.pattern}")
_LONGEST_NAME, _LONGEST_REASON = 120, 300
# Of a whole message, with the path of a file in it.
LONGEST_MESSAGE = 5000


def printable(text: str) -> str:
    r"""The text on one line, as `\x1b` or so where a character would act on the terminal."""
    return _ACTIVE.sub(_escaped, text)


def shown(given: object, longest: int | None = None) -> str:
    """What was given as a message shows it: printable, on one line, and not too long.

    Args:
        given: a name or a text, or an error, whose lines become one.
        longest: characters after which the rest is left out; by default 120, of an error 300.
    """
    text = str(given)
    if isinstance(given, Exception):
        text = " ".join(line.strip() for line in text.splitlines())
    most = longest or (_LONGEST_REASON if isinstance(given, Exception) else _LONGEST_NAME)
    escaped = printable(text[: most + 1])
    return escaped if len(escaped) <= most else f"{escaped[:most]}..."


class Escaping:
    """A text stream on which only line feeds and tabs act.

    Attributes:
        unescaped: the stream that it writes to.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write text, escaped; returns the length of what was given."""
        self.unescaped.write(_ACTIVE_IN_LINES.sub(_escaped, text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


def escape_streams() -> None:
    """Let nothing that is printed from here on act on the terminal, whoever prints it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # A terminal of another encoding shows what it has no character for as an escape as well.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Escaping(stream))


def styled_output() -> Any:
    """Standard output for what styles text by itself, and has made it printable."""
    return getattr(sys.stdout, "unescaped", sys.stdout)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
