"""Which tests a mutant has to pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.mutants.lines import Lines, Reach
from tests.mutants.mutator import Mutant
from tests.mutants.tree import ROOT

# What it takes to begin with a test file.
_START_S = 2.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """Tests of one file.

    Attributes:
        file: the file.
        tests: those that execute the changed line, quickest first.
        seconds: how long they take without the mutant.
    """

    file: str
    tests: list[str]
    seconds: float


def choose(
    mutant: Mutant, reaches: Mapping[str, Reach], files: int, seconds: float
) -> list[Chosen]:
    """Choose tests: of files named like the module first, of those that import it next.

    Args:
        reaches: what each test file executes.
        files: how many test files at most.
        seconds: how long they may take in all without the mutant.
    """
    found = [
        Chosen(file, tests, sum(reach.seconds[each] for each in tests) + _START_S)
        for file, reach in reaches.items()
        if (tests := _reaching(mutant, reach))
    ]
    found.sort(key=lambda each: (_distance(mutant.path, each.file), each.seconds))
    chosen: list[Chosen] = []
    for each in found:
        left = seconds - sum(other.seconds for other in chosen)
        part = _quickest(each, reaches[each.file].seconds, left)
        if part.tests and len(chosen) < files:
            chosen.append(part)
    return chosen


def _reaching(mutant: Mutant, reach: Reach) -> list[str]:
    def reaches(lines: Lines) -> bool:
        first, last = mutant.lines
        return any(first <= each <= last for each in lines.get(mutant.path, ()))

    if reaches(reach.shared):
        if mutant.is_called:
            # A wide fixture calls it, of which any test may look at the result.
            return list(reach.tests)
        return [test for test, lines in reach.tests.items() if mutant.path in lines]
    return [test for test, lines in reach.tests.items() if reaches(lines)]


def _quickest(chosen: Chosen, seconds: Mapping[str, float], limit: float) -> Chosen:
    """The quickest tests that fit into a limit."""
    tests, total = [], _START_S
    for each in sorted(chosen.tests, key=seconds.__getitem__):
        if total + seconds[each] > limit:
            break
        total += seconds[each]
        tests.append(each)
    return Chosen(chosen.file, tests, total)


@cache
def _distance(path: str, file: str) -> int:
    module = Path(path).with_suffix("")
    if module.name == "__init__":
        module = module.parent
    name, tested = module.name.strip("_"), Path(file).stem.removeprefix("test_")
    if name in tested or tested in name:
        return 0
    package = ".".join(module.parent.parts)
    text = (ROOT / file).read_text()
    for line in text.splitlines():
        if f"{package}.{module.name}" in line:
            return 1
        if line.startswith(f"from {package} import") and name in line:
            return 1
    return 2
