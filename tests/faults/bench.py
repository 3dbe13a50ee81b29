"""`python -m tests.faults.bench`: every kind of fault against every rule, and what came of it.

Exits with 1 when anything was lost, left behind or wrong. Everything a case draws comes from the
seed and the case's number, but a moment of real time is no exact thing: a case that fails is
likely to fail again, not certain to.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import chain, disturb, flips
from tests.faults.chain import RULES, STAGES, Stage
from tests.faults.disturb import Outcome
from tests.faults.processes import Command
from tests.workflow.workspace import Workspace

# Longer jobs have more moments to be hit at.
_WEIGHTS = {"train": 4, "embed": 2, "pretreat": 2, "segment": 2, "pack": 2}

# The name that a case counts under, and what came of it in a folder of its own.
Case = Callable[[Path], tuple[str, Outcome]]


def main() -> int:
    """Run the bench as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200, help="moments at which rules are hit")
    parser.add_argument("--disks", type=int, default=2 * len(STAGES), help="disks full, read-only")
    parser.add_argument("--flips", type=int, default=1, help="bits flipped per kind of file")
    parser.add_argument("--rules", nargs="*", default=RULES, choices=RULES, metavar="RULE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--finished", type=Path, help="a finished workspace, made where absent")
    given = parser.parse_args()
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="gait-faults-") as name:
        folder = Path(name)
        finished = _finished(given.finished or folder / "finished")
        stages = [stage for stage in STAGES if stage.rule in given.rules]
        seconds = _job_seconds(stages, finished, folder / "timed")
        print("undisturbed, every rule gives the same again", flush=True)

        def run(numbered: tuple[int, Case]) -> tuple[str, Outcome]:
            number, case = numbered
            root = folder / str(number)
            try:
                return case(root)
            finally:
                shutil.rmtree(root, ignore_errors=True)

        cases = [
            *_blows(stages, finished, seconds, given.points, given.seed),
            *_disks(stages, finished, given.disks, given.seed),
            *_flips(finished, given.flips, given.seed),
        ]
        with ThreadPoolExecutor(given.jobs) as pool:
            for of, outcome in pool.map(run, enumerate(cases)):
                outcomes[of].append(outcome)
                if outcome.faults:
                    listed = "\n  ".join(outcome.faults[:12])
                    print(f"{of}, {outcome.kind}:\n  {listed}\n{outcome.detail}\n", flush=True)
    return _print(outcomes)


def _finished(root: Path) -> Workspace:
    if root.exists():
        return Workspace.at(root.absolute())
    root.mkdir(parents=True)
    return chain.finished(root.absolute())


def _job_seconds(stages: list[Stage], finished: Workspace, root: Path) -> dict[str, float]:
    """How long the job of each rule takes here, and a proof that each gives the same again."""
    expected = chain.content(finished.root)
    seconds = {}
    for stage in stages:
        copy = chain.copy_of(finished, root)
        chain.forget(root, [stage])
        command = Command(copy, *stage.targets)
        command.wait_for_job(120)
        started = time.monotonic()
        command.end()
        seconds[stage.rule] = time.monotonic() - started
        if command.code:
            sys.exit(f"undisturbed, {stage.rule} fails:\n{command.output[-3000:]}")
        if different := chain.differences(expected, chain.content(root)):
            sys.exit(f"undisturbed, {stage.rule} does not give the same again: {different}")
        shutil.rmtree(root)
    return seconds


def _blows(
    stages: list[Stage], finished: Workspace, seconds: dict[str, float], number: int, seed: int
) -> Iterator[Case]:
    turn = [stage for stage in stages for _ in range(_WEIGHTS.get(stage.rule, 1))]
    random.Random(seed).shuffle(turn)
    for point in range(number):
        stage = turn[point % len(turn)]

        def case(root: Path, stage: Stage = stage, point: int = point) -> tuple[str, Outcome]:
            generator = random.Random(f"{seed} {stage.rule} {point}")
            blow = disturb.drawn_blow(stage, seconds[stage.rule], generator)
            return stage.rule, disturb.strike(stage, finished, root, blow, generator)

        yield case


def _disks(stages: list[Stage], finished: Workspace, number: int, seed: int) -> Iterator[Case]:
    for point in range(number):
        stage = stages[point % len(stages)]

        def case(root: Path, stage: Stage = stage, point: int = point) -> tuple[str, Outcome]:
            generator = random.Random(f"{seed} disk {stage.rule} {point}")
            is_full = point < len(stages) or generator.random() < 0.5
            return stage.rule, disturb.fill_disk(stage, finished, root, is_full, generator)

        yield case


def _flips(finished: Workspace, number: int, seed: int) -> Iterator[Case]:
    for turn in range(number):
        for path in flips.files(finished.root):

            def case(root: Path, path: str = path, turn: int = turn) -> tuple[str, Outcome]:
                generator = random.Random(f"{seed} flip {path} {turn}")
                return flips.kind_of(path), flips.flip(finished, root, path, generator)

            yield case


def _print(outcomes: dict[str, list[Outcome]]) -> int:
    """The table: for each rule or kind of file, what was done how often, and what was wrong."""
    bad = 0
    print(f"{'of':26} {'points':>6} {'wrong':>5}  what was done")
    for name, each in outcomes.items():
        wrong = sum(bool(outcome.faults) for outcome in each)
        bad += wrong
        done = Counter(outcome.kind for outcome in each)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(done.items()))
        print(f"{name:26} {len(each):6} {wrong:5}  {listed}")
    print(f"{'all':26} {sum(map(len, outcomes.values())):6} {bad:5}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
