"""Runs spoilt files through every reader: `python -m tests.fuzz.bench --cases 100000`.

A case is told by its seed, target and number, and is the same each time.
"""

from __future__ import annotations

import argparse
import os
import re
import selectors
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gait.progress import Progress
from tests.fuzz.target import Target, good_files
from tests.fuzz.worker import SOUND, Outcome, Verdict, Worker

SECONDS_A_CASE = 10.0
# So many cases share a process.
_BATCH = 150
_TICK_S = 0.2


@dataclass(slots=True)
class Fault:
    """A fault that one or several cases show.

    Attributes:
        verdict: that of the shortest file.
        data: that file.
        count: how many cases show it.
    """

    verdict: Verdict
    data: bytes
    count: int = 1


@dataclass(slots=True)
class Report:
    """What became of all cases.

    Attributes:
        tallies: outcomes by target.
        faults: by target, outcome and place.
        seconds: spent on each target.
    """

    tallies: dict[str, Counter[Outcome]] = field(default_factory=dict)
    faults: dict[tuple[str, Outcome, str], Fault] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)

    def add(self, target: Target, seed: int, verdict: Verdict) -> None:
        """Count a case, and keep the shortest file that shows a fault."""
        self.tallies.setdefault(target.name, Counter())[verdict.outcome] += 1
        if verdict.outcome in SOUND:
            return
        kind = verdict.what.partition(":")[0] if verdict.outcome == Outcome.foreign else ""
        key = (target.name, verdict.outcome, f"{kind} {verdict.where}".strip())
        data = target.case(seed, verdict.case)
        known = self.faults.get(key)
        if known is None:
            self.faults[key] = Fault(verdict, data)
            return
        known.count += 1
        if len(data) < len(known.data):
            known.verdict, known.data = verdict, data

    @property
    def table(self) -> str:
        """A line a target, and the sum."""
        names = ["cases", *map(str, Outcome)]
        width = max([len("target"), *map(len, self.tallies)])
        lines = [f"{'target':<{width}}" + "".join(f"{each:>10}" for each in names) + "   cases/s"]
        total: Counter[Outcome] = Counter()
        for name, tally in sorted(self.tallies.items()):
            total.update(tally)
            rate = tally.total() / max(self.seconds[name], 1e-9)
            lines.append(_line(name, tally, width) + f"{rate:>10.0f}")
        lines.append(_line("all", total, width))
        return "\n".join(lines)

    @property
    def findings(self) -> str:
        """A line a fault: what, where, how often, and how to see it again."""
        return "\n".join(
            f"{name}: {outcome}: {fault.verdict.what} | {fault.verdict.where} | {fault.count} of "
            f"them, case {fault.verdict.case}, {len(fault.data)} bytes"
            for (name, outcome, _), fault in sorted(self.faults.items(), key=lambda each: each[0])
        )


def _line(name: str, tally: Counter[Outcome], width: int) -> str:
    numbers = [tally.total(), *(tally[each] for each in Outcome)]
    return f"{name:<{width}}" + "".join(f"{each:>10,}" for each in numbers)


def run(
    targets: Sequence[Target],
    cases: int,
    seed: int = 0,
    jobs: int = 1,
    seconds: float | None = None,
    seconds_a_case: float = SECONDS_A_CASE,
    first: int = 0,
) -> Report:
    """Run cases of each target in processes of their own.

    Args:
        targets: the readers.
        cases: how many in all, dealt by the targets' shares.
        seed: decides what the cases are.
        jobs: how many processes work side by side.
        seconds: when no further cases are begun; None to go on to the end.
        seconds_a_case: how long one may take.
        first: the number of the first case of each target.
    """
    report = Report()
    todo: list[deque[tuple[Target, list[int]]]] = []
    whole = sum(each.share for each in targets)
    for target in targets:
        # Made before the fork, once for all processes.
        least = good_files(target)
        number = max(round(cases * target.share / whole), min(cases, least + 1))
        numbers = list(range(first, first + number))
        batches = [numbers[start : start + _BATCH] for start in range(0, number, _BATCH)]
        todo.append(deque((target, batch) for batch in batches))
    # In turn, so that each has had its share whenever the time is over.
    queue = deque(
        queued.popleft() for _ in range(max(map(len, todo))) for queued in todo if queued
    )
    end = None if seconds is None else time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast_disk()) as folder:
        _Loop(report, queue, seed, jobs, end, seconds_a_case, Path(folder)).run()
    return report


def _fast_disk() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class _Loop:
    """Starts workers, listens to them, and ends those that hang."""

    def __init__(
        self,
        report: Report,
        queue: deque[tuple[Target, list[int]]],
        seed: int,
        jobs: int,
        end: float | None,
        seconds_a_case: float,
        folder: Path,
    ) -> None:
        self._report = report
        self._queue = queue
        self._seed = seed
        self._jobs = jobs
        self._end = end
        self._seconds_a_case = seconds_a_case
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, tuple[Worker, float]] = {}
        self._hung: set[int] = set()
        self._started = 0
        self._progress = Progress("reading", sum(len(cases) for _, cases in queue), "cases")

    def run(self) -> None:
        try:
            while self._fill() or self._workers:
                for key, _ in self._selector.select(_TICK_S):
                    self._listen(key.fd)
                self._end_hanging()
        except KeyboardInterrupt:
            # What has been seen by then is worth a table.
            self._queue.clear()
        finally:
            for worker, _ in self._workers.values():
                worker.stop()
                worker.ended()

    def _fill(self) -> bool:
        """Start what there is room for; whether anything is left to be started."""
        if self._end is not None and time.monotonic() > self._end:
            self._queue.clear()
        while self._queue and len(self._workers) < self._jobs:
            target, cases = self._queue.popleft()
            self._started += 1
            worker = Worker(target, self._seed, cases, self._folder / str(self._started))
            self._workers[worker.pipe] = worker, time.monotonic()
            self._selector.register(worker.pipe, selectors.EVENT_READ)
        return bool(self._queue)

    def _listen(self, pipe: int) -> None:
        worker, _ = self._workers[pipe]
        verdicts = worker.read()
        if verdicts is None:
            self._finish(pipe)
            return
        for verdict in verdicts:
            worker.cases.remove(verdict.case)
            self._report.add(worker.target, self._seed, verdict)
        self._progress.advance(len(verdicts))

    def _finish(self, pipe: int) -> None:
        worker, since = self._workers.pop(pipe)
        self._selector.unregister(pipe)
        self._report.seconds[worker.target.name] += time.monotonic() - since
        case, _ = worker.at()
        number, where = worker.ended()
        if pipe in self._hung or number:
            self._add_ended(worker, case, number, where, pipe in self._hung)
            self._hung.discard(pipe)
        if worker.cases:
            self._queue.appendleft((worker.target, worker.cases))

    def _add_ended(
        self, worker: Worker, case: int, number: int, where: str, is_hung: bool
    ) -> None:
        if case not in worker.cases:
            # Between two cases: one that was slow has ended after all, or none has begun.
            if is_hung:
                return
            case = worker.cases[0]
        if is_hung:
            what = f"longer than {self._seconds_a_case:.0f} s"
            verdict = Verdict(case, Outcome.timeout, what, where)
        else:
            verdict = Verdict(case, Outcome.crash, signal.Signals(number).name, where)
        worker.cases.remove(case)
        self._report.add(worker.target, self._seed, verdict)

    def _end_hanging(self) -> None:
        for pipe, (worker, _) in self._workers.items():
            case, since_s = worker.at()
            if case >= 0 and since_s > self._seconds_a_case and pipe not in self._hung:
                self._hung.add(pipe)
                worker.stop()


def save(report: Report, folder: Path) -> None:
    """Write the shortest file of each fault, named by target, outcome and case."""
    folder.mkdir(parents=True, exist_ok=True)
    for (name, outcome, _), fault in report.faults.items():
        (folder / f"{name}-{outcome}-{fault.verdict.case}").write_bytes(fault.data)
    (folder / "findings.txt").write_text(report.findings + "\n", encoding="utf-8")


def main() -> int:
    """The program."""
    from tests.fuzz.targets import TARGETS, preload

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.bench", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="in all")
    parser.add_argument("--seconds", type=float, help="begin no further cases after that")
    parser.add_argument("--target", help="a regular expression for the names of targets")
    parser.add_argument("--seed", type=int, default=0, help="other cases")
    parser.add_argument("--case", type=int, help="this case alone, with its traceback")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", type=Path, help="a folder for files that show a fault")
    arguments = parser.parse_args()
    pattern = re.compile(arguments.target or "")
    chosen = [each for each in TARGETS if pattern.search(each.name)]
    if not chosen:
        parser.error(f"no target of that name; there are {', '.join(x.name for x in TARGETS)}")
    preload()
    # Also where a shell has set it going in the background, and let it ignore the first.
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.default_int_handler)
    if arguments.case is not None:
        return _one(chosen, arguments.seed, arguments.case, arguments.save)
    report = run(chosen, arguments.cases, arguments.seed, arguments.jobs, arguments.seconds)
    if arguments.save:
        save(report, arguments.save)
    if report.faults:
        print(report.findings, end="\n\n")
    print(report.table)
    return 1 if report.faults else 0


def _one(targets: Sequence[Target], seed: int, case: int, saved: Path | None) -> int:
    """A case without any bench around it, so that its traceback can be seen."""
    for target in targets:
        data = target.case(seed, case)
        if saved:
            saved.write_bytes(data)
        with tempfile.TemporaryDirectory() as folder:
            if target.lay is not None:
                target.lay(Path(folder))
            path = Path(folder) / target.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if target.complete is not None:
                target.complete(path)
            os.chdir(folder)
            print(f"{target.name}: {len(data)} bytes, {data[:200]!r}", file=sys.stderr)
            print(target.read(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
