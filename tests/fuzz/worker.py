"""Runs cases in a process of its own, and tells its parent what became of each."""

from __future__ import annotations

import faulthandler
import mmap
import os
import pickle
import resource
import shutil
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from gait.errors import GaitError
from tests.fuzz.guard import Guard
from tests.fuzz.target import NOTED, Target

MEMORY_BYTES = 4_000_000_000
_HEAD = struct.Struct("<I")
# The case at hand, and when it began.
_PROGRESS = struct.Struct("<qd")
_KEPT_FRAMES = 4


class Outcome(StrEnum):
    """What may become of a case; the first three are as they should be."""

    ok = "ok"
    refused = "refused"
    noted = "noted"
    crash = "crash"
    timeout = "timeout"
    blow_up = "blow-up"
    foreign = "foreign"
    escape = "escape"


SOUND = (Outcome.ok, Outcome.refused, Outcome.noted)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case.

    Attributes:
        case: its number.
        outcome: what became of it.
        what: the exception or whatever it was, in a line.
        where: the last places in the program, which tell one fault from another.
    """

    case: int
    outcome: Outcome
    what: str = ""
    where: str = ""


class Worker:
    """A forked process that goes through cases of one target.

    Args:
        target: what to read with.
        seed: decides the cases.
        cases: their numbers.
        folder: an empty folder for it.
    """

    def __init__(self, target: Target, seed: int, cases: Iterable[int], folder: Path) -> None:
        self.target = target
        self.cases = list(cases)
        self.folder = folder
        self._trace = folder.with_suffix(".trace")
        self._progress = mmap.mmap(-1, _PROGRESS.size)
        self._progress[:] = _PROGRESS.pack(-1, time.monotonic())
        self._buffer = b""
        self.pipe, end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            status, screen = 1, os.dup(2)
            try:
                os.close(self.pipe)
                _work(target, seed, self.cases, folder, self._trace, self._progress, end)
                status = 0
            except BaseException:
                os.write(screen, traceback.format_exc().encode())
            finally:
                os._exit(status)
        os.close(end)

    def at(self) -> tuple[int, float]:
        """The case at hand, and for how many seconds it has been."""
        case, since = _PROGRESS.unpack(self._progress[:])
        return case, time.monotonic() - since

    def read(self) -> list[Verdict] | None:
        """What has been told since; None when the process has ended."""
        some = os.read(self.pipe, 2**16)
        if not some:
            return None
        self._buffer += some
        verdicts = []
        while len(self._buffer) >= _HEAD.size:
            (size,) = _HEAD.unpack_from(self._buffer)
            if len(self._buffer) < _HEAD.size + size:
                break
            verdicts.append(pickle.loads(self._buffer[_HEAD.size : _HEAD.size + size]))
            self._buffer = self._buffer[_HEAD.size + size :]
        return verdicts

    def stop(self) -> None:
        """End it where it hangs, and have it write down where that is."""
        os.kill(self._pid, signal.SIGUSR1)
        time.sleep(0.3)
        os.kill(self._pid, signal.SIGKILL)

    def ended(self) -> tuple[int, str]:
        """The signal that ended it, or 0, and where it was then."""
        _, status = os.waitpid(self._pid, 0)
        os.close(self.pipe)
        self._progress.close()
        text = self._trace.read_text(errors="replace") if self._trace.exists() else ""
        self._trace.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise RuntimeError(f"the bench itself failed at {self.target.name}")
        frames = [line.strip() for line in text.splitlines() if line.startswith("  File")]
        return os.WTERMSIG(status), " < ".join(map(_short, _telling(frames)))


def _telling(frames: list[str]) -> list[str]:
    """The innermost frame, and the innermost ones of the program itself."""
    own = [each for each in frames if "/gait/" in each]
    return list(dict.fromkeys(frames[:1] + own[:2]))


def _short(frame: str) -> str:
    """`gait/formats/pkl.py:12` out of a line of a traceback."""
    path, _, rest = frame.removeprefix("File ").partition(", line ")
    return f"{_place(path.strip(chr(34)))}:{rest.split()[0].rstrip(',')}"


def _place(path: str) -> str:
    for root in ("/gait/", "/tests/", "/site-packages/", "/lib/"):
        _, found, below = path.rpartition(root)
        if found:
            return below if root in ("/site-packages/", "/lib/") else root[1:] + below
    return path


def _work(
    target: Target,
    seed: int,
    cases: list[int],
    folder: Path,
    trace: Path,
    progress: mmap.mmap,
    pipe: int,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder.mkdir()
    guard = Guard(folder)
    file = trace.open("w")
    faulthandler.enable(file, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file, all_threads=False)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    # Whatever stood in their place, such as pytest's, is the parent's.
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    place = folder / "case"
    place.mkdir()
    os.chdir(place)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A bomb that unpacks to the disk fills this much of it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY_BYTES, MEMORY_BYTES))
    before = _peak_bytes()
    for number, case in enumerate(cases):
        progress[:] = _PROGRESS.pack(case, time.monotonic())
        if target.lay is not None or number == 0:
            _laid(target, place)
        path = place / target.file
        path.write_bytes(target.case(seed, case))
        if target.complete is not None:
            target.complete(path)
        verdict = _tried(target, case, path, guard)
        grown = _peak_bytes() - before
        if grown > target.most_bytes:
            what = f"grew by {grown / 1e9:.1f} GB; {verdict.what}"
            verdict = Verdict(case, Outcome.blow_up, what, verdict.where)
        data = pickle.dumps(verdict)
        os.write(pipe, _HEAD.pack(len(data)) + data)
        if verdict.outcome in (Outcome.blow_up, Outcome.escape):
            # What comes after could not be told from this.
            return


def _laid(target: Target, place: Path) -> None:
    for each in place.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
    if target.lay is not None:
        target.lay(place)
    (place / target.file).parent.mkdir(parents=True, exist_ok=True)


def _tried(target: Target, case: int, path: Path, guard: Guard) -> Verdict:
    guard.seen.clear()
    guard.is_watching = True
    try:
        result = target.read(path)
        verdict = Verdict(case, Outcome.noted if result is NOTED else Outcome.ok)
    except (GaitError, *target.refusals):
        verdict = Verdict(case, Outcome.refused)
    except MemoryError as error:
        verdict = Verdict(case, Outcome.blow_up, "MemoryError", _where(error.__traceback__))
    except BaseException as error:
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        verdict = Verdict(case, Outcome.foreign, what, _where(error.__traceback__))
    finally:
        guard.is_watching = False
    if guard.seen:
        verdict = Verdict(case, Outcome.escape, guard.seen[0], verdict.where)
    return verdict


def _where(trace: TracebackType | None) -> str:
    frames = [
        f"{_place(each.filename)}:{each.lineno}" for each in reversed(traceback.extract_tb(trace))
    ]
    own = [each for each in frames if each.startswith("gait/")]
    return " < ".join(list(dict.fromkeys(frames[:1] + own))[:_KEPT_FRAMES])


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
