"""Tables as CSV: one writer, one for tables that people open in spreadsheets, and one reader."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from gait.errors import DataError
from gait.formats.seal import read_sealed_table

# What makes a spreadsheet take a cell for a formula, as OWASP lists it.
_FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def table_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV with a header, every cell as it is; a line ends in a line feed."""
    lines = _Lines()
    # The writer quotes what looks like the end of a line, of which a carriage return is one too.
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return "".join(lines.written)


def sheet_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV for people: no cell is a formula to a spreadsheet, whoever named things.

    An apostrophe goes before a text that begins like a formula; a number stays as it is.
    """
    header = [_defused(name) for name in columns]
    return table_text(header, ([_defused(str(cell)) for cell in row] for row in rows))


def read_table(path: Path, remedy: str) -> tuple[list[str], list[list[str]]]:
    """The header of a table of ours and its lines, each as long as the header.

    Args:
        path: the table, CSV in UTF-8, with a byte order mark or without; checked against the
            digest beside it, if there is one.
        remedy: how to make it again.

    Raises:
        DataError: the file is missing, damaged, or no such table.
    """
    data = read_sealed_table(path, remedy)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected a table in UTF-8 ({error}); {remedy}") from None
    return parse_table(text, path, remedy)


def parse_table(text: str, path: Path, remedy: str) -> tuple[list[str], list[list[str]]]:
    """The header of a table of ours and its lines, each as long as the header.

    Args:
        text: the table as CSV.
        path: the file that it comes from, for messages.
        remedy: how to make that again.

    Raises:
        DataError: it is no such table.
    """
    try:
        header, *lines = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    except csv.Error as error:
        raise DataError(f"{path}: expected a table in UTF-8 ({error}); {remedy}") from None
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise DataError(
                f"{path}, line {number}: expected {len(header)} columns, got {len(line)}; {remedy}"
            )
    if len(set(header)) < len(header):
        raise DataError(f"{path}: expected columns of different names; {remedy}")
    return header, lines


class _Lines:
    """Takes the lines of a writer of CSV, one each time."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line.removesuffix("\r\n") + "\n")


def _defused(cell: str) -> str:
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
