"""Copies of the repository, in which mutants live."""

from __future__ import annotations

import compileall
import py_compile
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
AREAS = ("data", "engine", "evaluation")
_PARTS = ("benchmarks", "config", "datasets", "docs", "gait", "tests", "workflow")
_IGNORED = shutil.ignore_patterns("__pycache__", ".*_cache")


def sources(root: Path = ROOT, areas: Iterable[str] = AREAS) -> list[str]:
    """List the files that are mutated, relative to the repository."""
    found = (each for area in areas for each in (root / "gait" / area).rglob("*.py"))
    return sorted(str(each.relative_to(root)) for each in found)


def copy_tree(tree: Path) -> None:
    """Copy what tests read, and compile it.

    The compiled files are checked by content: by time, those of a mutant of the same size and
    second would be taken for those of the original.
    """
    for part in _PARTS:
        shutil.copytree(ROOT / part, tree / part, ignore=_IGNORED)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, tree / file.name)
    checked = py_compile.PycInvalidationMode.CHECKED_HASH
    for part in ("gait", "tests"):
        compileall.compile_dir(tree / part, quiet=1, invalidation_mode=checked)


@contextmanager
def changed(file: Path, source: bytes) -> Iterator[None]:
    """Give a file another content for a while."""
    original = file.read_bytes()
    file.write_bytes(source)
    try:
        yield
    finally:
        file.write_bytes(original)
