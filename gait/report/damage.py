"""Finds damaged files among results, also those that no stage reads again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gait.errors import DataError
from gait.formats.seal import (
    check_yaml_seal,
    check_zip_seal,
    read_line,
    read_sealed_json,
    read_sealed_table,
)
from gait.limits import FILE_BYTES

_AGAIN = "delete it and run the workflow again"


def damaged_results(results: Path, dataset: str) -> list[str]:
    """Compare every file of a dataset's results with its digest, reading all of it.

    Args:
        results: the folder of all results, whose own tables are compared as well.
        dataset: the dataset's name.

    Returns:
        A sentence per damaged file; empty where there are none.
    """
    damaged = []
    for path in [*_files(results / dataset), *sorted(results.glob("*.csv"))]:
        check = _CHECKS.get(path.suffix)
        try:
            if check is not None:
                check(path)
        except DataError as error:
            damaged.append(str(error))
    return damaged


def _files(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(above) / name
            if path.is_file() and not name.startswith("."):
                yield path


def _yaml(path: Path) -> None:
    check_yaml_seal(path, _content(path), _AGAIN)


def _history(path: Path) -> None:
    for number, line in enumerate(_content(path).splitlines(keepends=True), 1):
        try:
            read_line(line.decode("utf-8"))
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: expected a line as gait train writes them ({error}); remove "
                f"that line, which leaves a gap in the curve, and run the workflow again"
            ) from None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            FILE_BYTES.check(size, path, "a file of results")
            return file.read(size)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {_AGAIN}") from None


_CHECKS: dict[str, Callable[[Path], object]] = {
    ".csv": lambda path: read_sealed_table(path, _AGAIN),
    ".json": lambda path: read_sealed_json(path, _AGAIN),
    ".jsonl": _history,
    ".npz": lambda path: check_zip_seal(path, _AGAIN),
    ".pt": lambda path: check_zip_seal(path, _AGAIN),
    ".yaml": _yaml,
}
