"""The processes of a disturbed command: found by a mark in their environment, and hit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import uuid
from pathlib import Path

from tests.workflow.workspace import Workspace

_MARK = "GAIT_FAULTS_MARK"


class Command:
    """A Snakemake command in a session of its own, whose processes can all be found again."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        self._mark = uuid.uuid4().hex
        self._log = workspace.root / ".fault.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                workspace.command(*arguments),
                cwd=workspace.root,
                env=workspace.environment | {_MARK: self._mark},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> dict[int, str]:
        """The command lines of all its processes, those that lost their parent included."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"{_MARK}={self._mark}".encode() in environment and line:
                found[int(folder.name)] = line
        return found

    def wait_for_job(self, timeout_s: float) -> None:
        """Return once a `gait` process of the job runs, or the command has ended."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.code is None:
            if any(kind_of(line) != "snakemake" for line in self.processes().values()):
                return
            time.sleep(0.01)

    def hit(self, victim: str, number: signal.Signals, generator: random.Random) -> str:
        """Send a signal to one process of a kind, or to all as a terminal does.

        Args:
            victim: 'snakemake', 'job', 'launcher', 'rank', 'worker' or 'all'; Snakemake is taken
                where no process of that kind runs.

        Returns:
            What was hit.
        """
        if victim == "all":
            os.killpg(self._process.pid, number)
            return victim
        processes = self.processes()
        chosen = sorted(pid for pid, line in processes.items() if kind_of(line) == victim)
        pid = generator.choice(chosen) if chosen else self._process.pid
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return "nothing"
        return victim if chosen else "snakemake"

    def end(self, timeout_s: float = 90) -> bool:
        """Wait until the command has ended; whether it did, after which it has for certain."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def orphans(self, timeout_s: float = 30) -> list[str]:
        """Command lines of processes that outlive the command by that long; they are ended."""
        deadline = time.monotonic() + timeout_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.kill()
        return list(left.values())

    def kill(self) -> None:
        """End every process."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()


def kind_of(line: str) -> str:
    """What a process is, by its command line."""
    if "gait.engine.runtime.launch" in line and "bash" not in line.split()[0]:
        return "launcher"
    if "-m gait " in line:
        return "rank"
    if "multiprocessing" in line or "forkserver" in line:
        return "worker"
    if "bin/gait" in line:
        return "job"
    return "snakemake"
