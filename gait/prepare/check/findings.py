"""What a check found: as a table, and as sentences on one screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gait.formats.tables import sheet_text
from gait.screen import printable

COLUMNS = ("severity", "kind", "count", "example", "fix")

# Findings on the screen; the table has all of them.
_SHOWN = 18
_EXAMPLES = 3


class Severity(StrEnum):
    """What a finding means: nothing can be made, something is amiss, or it is good to know."""

    error = "error"
    warning = "warning"
    note = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """All that was found of one kind; as text, one sentence.

    Attributes:
        severity: whether the dataset can be used nevertheless.
        kind: what they are, in the plural.
        count: how many; 0 for what is said of the whole.
        example: some of them, or what is known besides; may be empty.
        fix: what to do about them.
    """

    severity: Severity
    kind: str
    count: int
    example: str
    fix: str

    def __str__(self) -> str:
        if not self.count:
            return printable(f"{self.kind}: {self.example}; {self.fix}")
        example = f" ({self.example})" if self.example else ""
        return printable(f"{self.kind}: {self.count:,}{example}; {self.fix}")


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a check; as text, at most a screen: what is there, warnings and notes.

    Attributes:
        title: what is there, in a line.
        findings: errors first, then warnings, then notes.
    """

    title: str
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """What keeps the dataset from being used."""
        return [each for each in self.findings if each.severity is Severity.error]

    @property
    def table(self) -> str:
        """All findings as CSV, to be opened by people."""
        cells = ((getattr(each, name) for name in COLUMNS) for each in self.findings)
        return sheet_text(COLUMNS, cells)

    def __str__(self) -> str:
        others = [each for each in self.findings if each.severity is not Severity.error]
        lines = [
            printable(self.title),
            *(f"{each.severity.value}: {each}" for each in others[:_SHOWN]),
        ]
        if len(others) > _SHOWN:
            lines.append(f"and {len(others) - _SHOWN} more, see the table (--output)")
        return "\n".join(lines)


def ordered_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; otherwise as they come."""
    order = list(Severity)
    return sorted(findings, key=lambda each: order.index(each.severity))


def such_as(names: Iterable[object]) -> str:
    """A few of some names, for `Finding.example`."""
    texts = [str(name) for name in names]
    more = ", ..." if len(texts) > _EXAMPLES else ""
    return ", ".join(texts[:_EXAMPLES]) + more
