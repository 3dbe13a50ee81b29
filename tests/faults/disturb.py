"""One fault against one rule: its command is disturbed, run again, and everything compared."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import chain, disks
from tests.faults.chain import Stage
from tests.faults.processes import Command
from tests.workflow.workspace import Workspace

# The rules whose jobs are several processes.
LAUNCHED = ("train", "embed")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_PRINTED = 3000


@dataclass
class Outcome:
    """What came of one fault.

    Attributes:
        kind: what was done, such as 'SIGKILL to rank'.
        faults: what is wrong afterwards, one sentence each; empty where all is well.
        detail: what the commands printed.
    """

    kind: str
    faults: list[str] = field(default_factory=list)
    detail: str = ""


@dataclass(frozen=True)
class Blow:
    """A signal to a process of a command, at a moment.

    Attributes:
        number: the signal.
        victim: the kind of process, see `Command.hit`.
        delay_s: seconds to wait.
        in_job: whether they count from the start of the rule's job, or from Snakemake's.
    """

    number: signal.Signals
    victim: str
    delay_s: float
    in_job: bool


def drawn_blow(stage: Stage, job_s: float, generator: random.Random) -> Blow:
    """A signal, a victim and a moment of a rule's command.

    Args:
        stage: the rule.
        job_s: about how long its job takes.
        generator: what is drawn from.
    """
    victims = ["snakemake", "all", "job"]
    if stage.rule in LAUNCHED:
        victims = ["snakemake", "all", "launcher", "rank", "rank", "worker", "worker"]
    in_job = generator.random() < 0.75
    delay_s = generator.uniform(0, job_s if in_job else 2 + job_s)
    return Blow(generator.choice(SIGNALS), generator.choice(victims), delay_s, in_job)


def strike(
    stage: Stage, finished: Workspace, root: Path, blow: Blow, generator: random.Random
) -> Outcome:
    """Hit a rule's command, run it again, and compare with the undisturbed workspace.

    Args:
        stage: the rule.
        finished: the undisturbed workspace.
        root: where to put a copy of it.
        blow: what to do.
        generator: chooses among several processes of the victim's kind.
    """
    expected = chain.content(finished.root)
    copy = chain.copy_of(finished, root)
    chain.forget(root, [stage])
    command = Command(copy, *stage.targets)
    if blow.in_job:
        command.wait_for_job(120)
    time.sleep(blow.delay_s)
    hit = command.hit(blow.victim, blow.number, generator)
    outcome = Outcome(f"{blow.number.name} to {hit}")
    _see_it_end(command, outcome)
    _run_again(copy, stage, expected, outcome)
    return outcome


def fill_disk(
    stage: Stage, finished: Workspace, root: Path, is_full: bool, generator: random.Random
) -> Outcome:
    """Let a rule run out of space, or meet a disk that cannot be written; then give it room.

    Args:
        stage: the rule.
        finished: the undisturbed workspace.
        root: where to put a copy of it.
        is_full: whether the disk is full, or read-only.
        generator: draws how much room is left.
    """
    expected = chain.content(finished.root)
    outcome = Outcome("disk full" if is_full else "disk read-only")
    with disks.small_disk(finished, root, stage) as disk:
        if is_full:
            disk.leave(generator.randrange(0, max(disk.needed_bytes, 4096)))
        else:
            disk.lock()
        command = Command(disk.workspace, *stage.targets)
        _see_it_end(command, outcome)
        if command.code and "gait: error:" not in command.output:
            outcome.faults.append("no sentence of ours says why")
        disk.unlock()
        _run_again(disk.workspace, stage, expected, outcome)
    return outcome


def _see_it_end(command: Command, outcome: Outcome) -> None:
    if not command.end():
        outcome.faults.append("the command does not end")
    outcome.faults += [f"orphan: {line[:120]}" for line in command.orphans()]
    outcome.detail += f"--- exit code {command.code} ---\n{command.output[-_PRINTED:]}\n"


def _run_again(
    workspace: Workspace, stage: Stage, expected: dict[str, str], outcome: Outcome
) -> None:
    """Run the same command and hold everything against the undisturbed workspace."""
    again = Command(workspace, *stage.targets)
    _see_it_end(again, outcome)
    if again.code:
        outcome.faults.append(f"the same command fails with {again.code}")
    outcome.faults += chain.differences(expected, chain.content(workspace.root))
