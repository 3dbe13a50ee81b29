"""Which test executes which line, kept between runs."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tests.mutants.run import End, run
from tests.mutants.tree import ROOT
from tests.mutants.watch import HEAD, VARIABLE, sizes

_LIMIT_S = 400.0
_START = f"""import os
if "{VARIABLE}" in os.environ:
    from tests.mutants.watch import watch
    watch()
"""
_NAMES_AN_AREA = re.compile(r"\bgait\.(data|engine|evaluation)\b|from gait import .*(data|engine)")
# Minutes each, for models that no mutant is in.
_LEFT_OUT = {"test_import_checkpoint.py", "test_models_goldens.py", "test_zoo.py"}
Lines = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Reach:
    """What the tests of a file do without mutants.

    Attributes:
        end: how they end; only those that pass can tell anything.
        shared: lines that imports and wide fixtures execute, by source.
        tests: the same for each test.
        seconds: how long each test takes.
    """

    end: End
    shared: Lines
    tests: dict[str, Lines]
    seconds: dict[str, float]


def files_of_tests(root: Path = ROOT) -> list[str]:
    """List the test files that name a mutated package, themselves or through a helper."""
    named = [
        each
        for each in sorted((root / "tests").glob("*.py")) + sorted((root / "tests").glob("*/*.py"))
        if _NAMES_AN_AREA.search(each.read_text())
    ]
    helpers = [each.stem for each in named if not each.name.startswith("test_")]
    through = re.compile(rf"^from tests.*\b({'|'.join(helpers)})\b", re.MULTILINE)
    found = []
    for part in ("distributed", "parity", "unit"):
        for file in sorted((root / "tests" / part).glob("test_*.py")):
            is_named = file in named or through.search(file.read_text())
            if is_named and file.name not in _LEFT_OUT:
                found.append(str(file.relative_to(root)))
    return found


def reach_of(file: str, tree: Path, kept: Path) -> Reach:
    """What a test file reaches: as kept, or measured in a copied tree, unless one is missing.

    Args:
        file: the test file, relative to the tree.
        tree: a copied repository without a mutant.
        kept: the folder for results, which hold for one content of the package and the test file.
    """
    path = kept / f"{file.replace('/', '-')}.json"
    key = f"{_package()} {_digest([ROOT / file])}"
    if path.exists() and (entry := json.loads(path.read_text()))["key"] == key:
        return Reach(**{**entry["reach"], "end": End.passed})
    reach = measure(file, tree)
    if reach.end is End.passed:
        kept.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"key": key, "reach": asdict(reach)}))
    return reach


def measure(file: str, tree: Path) -> Reach:
    """Run a test file in a copied tree and see what it executes."""
    marks, start = tree.with_suffix(".marks"), tree / "sitecustomize.py"
    start.write_text(_START)
    try:
        ended = run(tree, [file], _LIMIT_S, marks)
        if ended.end is not End.passed:
            return Reach(ended.end, {}, {}, {})
        seconds = json.loads(marks.with_suffix(".json").read_text())
        with marks.open("rb") as read:
            read.seek(HEAD)
            size = sum(sizes(tree).values())
            shared, *tests = (_lines(read.read(size), tree) for _ in range(len(seconds) + 1))
    finally:
        start.unlink()
        marks.unlink(missing_ok=True)
    return Reach(ended.end, shared, dict(zip(seconds, tests, strict=True)), seconds)


def _lines(marks: bytes, tree: Path) -> Lines:
    lines, start = {}, 0
    for path, size in sizes(tree).items():
        if found := [line for line in range(size) if marks[start + line]]:
            lines[path] = found
        start += size
    return lines


@cache
def _package() -> str:
    return _digest(sorted((ROOT / "gait").rglob("*.py")))


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for each in files:
        digest.update(each.read_bytes())
    return digest.hexdigest()[:16]
