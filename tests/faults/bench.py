"""`python -m tests.faults.bench`: every kind of fault against every rule, and what came of it.

Exits with 1 when anything was lost, left behind or wrong. Everything a case draws comes from the
seed and the case's number, but a moment of real time is no exact thing: a case that fails is
likely to fail again, not certain to.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import chain, disks, flips
from tests.faults.chain import RULES, STAGES, Stage
from tests.faults.processes import Command
from tests.workflow.workspace import Workspace

LAUNCHED = ("train", "embed")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass
class Outcome:
    """What came of one fault.

    Attributes:
        kind: what was done, such as 'SIGKILL to a rank'.
        faults: what is wrong afterwards, one sentence each; empty where all is well.
        detail: what the command printed, where something is wrong.
    """

    kind: str
    faults: list[str] = field(default_factory=list)
    detail: str = ""


def end_at_random(
    stage: Stage, finished: Workspace, root: Path, job_s: float, generator: random.Random
) -> Outcome:
    """Disturb a rule's command at some moment, run it again, and compare with the undisturbed.

    Args:
        stage: the rule.
        finished: the undisturbed workspace.
        root: where to put a copy of it.
        job_s: about how long the rule's job takes.
        generator: draws the moment, the signal and the victim.
    """
    expected = chain.content(finished.root)
    copy = chain.copy_of(finished, root)
    chain.forget(root, [stage])
    number = generator.choice(SIGNALS)
    victims = ["snakemake", "all", "job"]
    if stage.rule in LAUNCHED:
        victims = ["snakemake", "all", "launcher", "rank", "rank", "worker", "worker"]
    victim = generator.choice(victims)
    command = Command(copy, stage.target)
    if generator.random() < 0.75:
        command.wait_for_job(60)
        time.sleep(generator.uniform(0, job_s))
    else:
        time.sleep(generator.uniform(0, 2 + job_s))
    hit = command.hit(victim, number, generator)
    outcome = Outcome(f"{number.name} to {hit}")
    if not command.end():
        outcome.faults.append("the command does not end")
    outcome.faults += [f"orphan: {line[:120]}" for line in command.orphans()]
    outcome.detail = command.output[-3000:]
    _compare(copy, stage.target, expected, outcome)
    return outcome


def fill_disk(stage: Stage, finished: Workspace, root: Path, generator: random.Random) -> Outcome:
    """Let a rule run out of space, or meet a disk that cannot be written, then give it room."""
    expected = chain.content(finished.root)
    is_full = generator.random() < 0.7
    outcome = Outcome("disk full" if is_full else "disk read-only")
    with disks.small_disk(finished, root, stage) as disk:
        if is_full:
            disk.leave(generator.randrange(0, max(disk.needed_bytes, 4096)))
        else:
            disk.lock()
        command = Command(disk.workspace, stage.target)
        if not command.end():
            outcome.faults.append("the command does not end")
        outcome.faults += [f"orphan: {line[:120]}" for line in command.orphans()]
        outcome.detail = command.output[-3000:]
        if command.code and "gait: error:" not in command.output:
            outcome.faults.append("no sentence of ours says why")
        disk.unlock()
        _compare(disk.workspace, stage.target, expected, outcome)
    return outcome


def _compare(
    workspace: Workspace, target: str, expected: dict[str, str], outcome: Outcome
) -> None:
    """Run the same command and hold everything against the undisturbed workspace."""
    again = Command(workspace, target)
    if not again.end():
        outcome.faults.append("the same command does not end")
    if again.code:
        outcome.faults.append(f"the same command fails with {again.code}")
        outcome.detail += f"\n--- again ---\n{again.output[-3000:]}"
    outcome.faults += [f"orphan of the second run: {line[:120]}" for line in again.orphans()]
    outcome.faults += chain.differences(expected, chain.content(workspace.root))


def job_seconds(finished: Workspace, root: Path) -> dict[str, float]:
    """How long the job of each rule takes here, and a proof that each gives the same again."""
    expected = chain.content(finished.root)
    seconds = {}
    for stage in STAGES:
        copy = chain.copy_of(finished, root)
        chain.forget(root, [stage])
        command = Command(copy, stage.target)
        command.wait_for_job(60)
        started = time.monotonic()
        command.end()
        seconds[stage.rule] = time.monotonic() - started
        assert command.code == 0, command.output[-3000:]
        if different := chain.differences(expected, chain.content(root)):
            sys.exit(f"undisturbed, {stage.rule} does not give the same again: {different}")
        shutil.rmtree(root)
    return seconds


def cases(points: int, rules: tuple[str, ...], seed: int) -> Iterator[tuple[int, Stage]]:
    """The stage of each point, in turn; longer jobs have more moments to be hit at."""
    weights = {"train": 4, "embed": 2, "pretreat": 2, "segment": 2, "pack": 2}
    stages = [stage for stage in STAGES if stage.rule in rules]
    turn = [stage for stage in stages for _ in range(weights.get(stage.rule, 1))]
    random.Random(seed).shuffle(turn)
    for number in range(points):
        yield number, turn[number % len(turn)]


def main() -> int:
    """Run the bench as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200, help="moments at which rules are ended")
    parser.add_argument("--disks", type=int, default=2 * len(STAGES), help="disks full, read-only")
    parser.add_argument("--flips", type=int, default=1, help="bits flipped in each kind of file")
    parser.add_argument("--rules", nargs="*", default=RULES, choices=RULES, metavar="RULE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--finished", type=Path, help="a finished workspace, made where absent")
    given = parser.parse_args()
    rules = tuple(given.rules)
    with tempfile.TemporaryDirectory(prefix="gait-faults-") as name:
        folder = Path(name)
        finished = _finished(given.finished or folder / "finished")
        seconds = job_seconds(finished, folder / "timed")
        print("undisturbed, every rule gives the same again", flush=True)
        outcomes: dict[str, list[Outcome]] = defaultdict(list)

        def ended(case: tuple[int, Stage]) -> tuple[str, Outcome]:
            number, stage = case
            generator = random.Random(f"{given.seed} {stage.rule} {number}")
            root = folder / f"point-{number}"
            outcome = end_at_random(stage, finished, root, seconds[stage.rule], generator)
            shutil.rmtree(root, ignore_errors=True)
            return stage.rule, outcome

        def filled(case: tuple[int, Stage]) -> tuple[str, Outcome]:
            number, stage = case
            generator = random.Random(f"{given.seed} disk {stage.rule} {number}")
            root = folder / f"disk-{number}"
            outcome = fill_disk(stage, finished, root, generator)
            shutil.rmtree(root, ignore_errors=True)
            return stage.rule, outcome

        def flipped(case: tuple[int, str]) -> tuple[str, Outcome]:
            number, path = case
            generator = random.Random(f"{given.seed} flip {path} {number}")
            root = folder / f"flip-{number}"
            faults, detail, how = flips.flip(finished, root, path, generator)
            shutil.rmtree(root, ignore_errors=True)
            return flips.kind_of(path), Outcome(how, faults, detail)

        files = list(enumerate(flips.files(finished.root) * given.flips)) if given.flips else []
        with ThreadPoolExecutor(given.jobs) as pool:
            for rule, outcome in pool.map(ended, cases(given.points, rules, given.seed)):
                _note(outcomes, rule, outcome)
            for rule, outcome in pool.map(filled, cases(given.disks, rules, given.seed)):
                _note(outcomes, rule, outcome)
            for kind, outcome in pool.map(flipped, files):
                _note(outcomes, kind, outcome)
    return _print(outcomes)


def _finished(root: Path) -> Workspace:
    if root.exists():
        workspace = object.__new__(Workspace)
        workspace.root = root.absolute()
        return workspace
    root.mkdir(parents=True)
    return chain.finished(root.absolute())


def _note(outcomes: dict[str, list[Outcome]], name: str, outcome: Outcome) -> None:
    outcomes[name].append(outcome)
    if outcome.faults:
        listed = "\n  ".join(outcome.faults[:12])
        print(f"{name}, {outcome.kind}:\n  {listed}\n{outcome.detail}\n", flush=True)


def _print(outcomes: dict[str, list[Outcome]]) -> int:
    """The table: for each rule or kind of file, what was done how often, and what was wrong."""
    bad = 0
    print(f"{'of':22} {'points':>6} {'wrong':>5}  what was done")
    for name, each in outcomes.items():
        wrong = sum(bool(outcome.faults) for outcome in each)
        bad += wrong
        done = Counter(outcome.kind for outcome in each)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(done.items()))
        print(f"{name:22} {len(each):6} {wrong:5}  {listed}")
    print(f"{'all':22} {sum(map(len, outcomes.values())):6} {bad:5}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
