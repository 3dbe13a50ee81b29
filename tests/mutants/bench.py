"""Changes the package in small ways and sees which tests notice: `make mutants`.

A mutant that no test notices is equivalent, changes speed or a message alone, or shows what the
tests leave open; which of these it is, only reading tells.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.mutants import run
from tests.mutants.choice import Chosen, choose
from tests.mutants.lines import Reach, files_of_tests, reach_of
from tests.mutants.mutator import Mutant, sample
from tests.mutants.run import End
from tests.mutants.tree import AREAS, ROOT, changed, copy_tree, sources

KEPT = ROOT / "logs" / "mutants"
_LEAST_LIMIT_S = 30.0
_LIMIT_RATIO = 1.5


class Outcome(StrEnum):
    """What may become of a mutant; no test executes an unreached one."""

    killed = "killed"
    timeout = "timeout"
    survived = "survived"
    unreached = "unreached"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        number: its place in the sample.
        outcome: what became of it.
        test: the one that failed or hung.
        tests: how many were run in how many files.
        seconds: how long that took.
        output: what the last run printed.
    """

    number: int
    outcome: Outcome
    test: str
    tests: tuple[int, int]
    seconds: float
    output: str


class Bench:
    """A worker with a copied tree of its own.

    Args:
        tree: where the tree is made.
        mutants: the sample.
    """

    def __init__(self, tree: Path, mutants: list[Mutant]) -> None:
        self._tree = tree
        self._mutants = mutants
        copy_tree(tree)

    def reach(self, file: str) -> tuple[str, Reach]:
        """See what a test file executes."""
        return file, reach_of(file, self._tree, KEPT)

    def judge(self, number: int, chosen: list[Chosen]) -> Verdict:
        """Run tests on a mutant until one fails."""
        began, mutant = time.monotonic(), self._mutants[number]
        outcome, test, output = Outcome.survived if chosen else Outcome.unreached, "", ""
        count = files = 0
        source = mutant.edit.applied((ROOT / mutant.path).read_bytes())
        with changed(self._tree / mutant.path, source):
            for each in chosen:
                count, files = count + len(each.tests), files + 1
                limit = _LEAST_LIMIT_S + _LIMIT_RATIO * each.seconds
                ended = run.run(self._tree, each.tests, limit)
                output = ended.output
                if ended.end is not End.passed:
                    outcome = Outcome.killed if ended.end is End.failed else Outcome.timeout
                    test = ended.failure or each.file
                    break
        return Verdict(number, outcome, test, (count, files), time.monotonic() - began, output)


# Of each worker process.
_bench: Bench


def _begin(folder: Path, count: Any, mutants: list[Mutant]) -> None:
    global _bench
    with count.get_lock():
        count.value += 1
        number = count.value
    _bench = Bench(folder / str(number), mutants)


def _reach(file: str) -> tuple[str, Reach]:
    return _bench.reach(file)


def _judge(number: int, chosen: list[Chosen]) -> Verdict:
    return _bench.judge(number, chosen)


def table(mutants: list[Mutant], verdicts: Iterable[Verdict]) -> str:
    """Lay out outcomes by area and by operator."""
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        mutant = mutants[verdict.number]
        for name in (mutant.area, mutant.operator, "all"):
            tallies[name][verdict.outcome] += 1
    lines = [f"{'':12}{'tried':>10}" + "".join(f"{each:>10}" for each in Outcome)]
    areas = [each for each in AREAS if each in tallies]
    rest = sorted(tallies.keys() - {*areas, "all"})
    for name in [*areas, *rest, "all"]:
        tally = tallies[name]
        cells = "".join(f"{tally[each]:>10}" for each in Outcome)
        lines.append(f"{name:12}{tally.total():>10}{cells}")
    return "\n".join(lines)


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.bench", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="mutants")
    parser.add_argument("--seed", type=int, default=0, help="other mutants")
    parser.add_argument("--area", choices=AREAS, help="of this package alone")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--files", type=int, default=9, help="test files for each at most")
    parser.add_argument("--seconds", type=float, default=75, help="what they may take without it")
    parser.add_argument("--mutant", type=int, nargs="*", help="these alone, with pytest's output")
    parser.add_argument("--save", type=Path, help="a file for the survivors' diffs")
    given = parser.parse_args()
    areas = [given.area] if given.area else AREAS
    texts = {each: (ROOT / each).read_bytes() for each in sources(areas=areas)}
    mutants = sample(texts, given.count, given.seed)
    numbers = range(len(mutants)) if given.mutant is None else given.mutant
    run.preload()
    context = multiprocessing.get_context("fork")
    verdicts: list[Verdict] = []
    if given.save:
        given.save.parent.mkdir(parents=True, exist_ok=True)
        given.save.write_text("")
    with tempfile.TemporaryDirectory(prefix="gait-mutants-") as folder:
        begin = (Path(folder), context.Value("i", 0), mutants)
        # Not multiprocessing's pool, whose workers may have no children, as loaders of data do.
        with ProcessPoolExecutor(given.jobs, context, _begin, begin) as pool:
            reaches = dict(pool.map(_reach, files_of_tests()))
            for file, reach in reaches.items():
                if reach.end is not End.passed:
                    print(f"{file} {reach.end} without any mutant, and is left out", flush=True)
            tasks = [
                pool.submit(
                    _judge, each, choose(mutants[each], reaches, given.files, given.seconds)
                )
                for each in numbers
            ]
            for task in as_completed(tasks):
                verdict = task.result()
                verdicts.append(verdict)
                said = _said(mutants[verdict.number], verdict, texts)
                if given.mutant is not None:
                    said += verdict.output
                print(f"[{len(verdicts)}/{len(numbers)}] {said}", flush=True)
                if given.save and verdict.outcome in (Outcome.survived, Outcome.unreached):
                    with given.save.open("a") as file:
                        file.write(f"{said}\n")
    print(table(mutants, verdicts))
    return 0


def _said(mutant: Mutant, verdict: Verdict, texts: dict[str, bytes]) -> str:
    tests, files = verdict.tests
    said = f"{verdict.number} {mutant.operator} {mutant.path}: {verdict.outcome} {verdict.test}"
    said += f" ({tests} tests, {files} files, {verdict.seconds:.0f} s)"
    if verdict.outcome is Outcome.killed:
        return said
    return f"{said}\n{mutant.diff(texts[mutant.path])}"


if __name__ == "__main__":
    raise SystemExit(main())
