"""Starts and stops a real one-host SLURM: munged, slurmctld and four slurmd, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
NODES = ("n1", "n2", "n3", "n4")
GPUS_PER_NODE = 8


def missing() -> str | None:
    """Why no SLURM can be started here, or None."""
    if os.geteuid() != 0:
        return "starting a SLURM needs root"
    for program in ("slurmctld", "slurmd", "munged"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install slurm-wlm munge)"
    return None


class Cluster:
    """A running SLURM.

    Args:
        run: folder for its state, sockets and logs.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def start(self) -> None:
        """Start the daemons and wait until every node is idle."""
        for folder in ("state", *(f"spool/{node}" for node in NODES)):
            (self.run / folder).mkdir(parents=True, exist_ok=True)
        # SLURM wants character devices for GPUs; copies of /dev/null will do.
        for index in range(GPUS_PER_NODE):
            os.mknod(self.run / f"gpu{index}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        text = (HERE / "slurm.conf").read_text(encoding="utf-8")
        host = socket.gethostname().split(".")[0]
        configuration = self.run / "slurm.conf"
        configuration.write_text(
            text.replace("@RUN@", str(self.run)).replace("@HOST@", host), encoding="utf-8"
        )
        gres = self.run / "gres.conf"
        gres.write_text(
            f"NodeName=n[1-4] Name=gpu File={self.run}/gpu[0-{GPUS_PER_NODE - 1}]\n",
            encoding="utf-8",
        )
        # The executor's job step drops SLURM_CONF, so the files have to be where SLURM looks.
        folder = Path("/etc/slurm")
        folder.mkdir(exist_ok=True)
        for file in (configuration, gres):
            link = folder / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        _call("install", "-d", "-o", "munge", "-g", "munge", "-m", "0755", "/run/munge")
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
            _call("runuser", "-u", "munge", "--", shutil.which("munged") or "munged")
        # -c forgets earlier jobs and drained nodes.
        _call("slurmctld", "-c")
        _wait("slurmctld", lambda: "UP" in _call("scontrol", "ping", check=False))
        for node in NODES:
            _call("slurmd", "-N", node)
        _wait("the nodes", lambda: self.idle() == len(NODES))

    def stop(self) -> None:
        """Cancel what runs and end the daemons."""
        subprocess.run(["scancel", "--user=root"], check=False, capture_output=True)
        for name in (*(f"slurmd.{node}" for node in NODES), "slurmctld"):
            file = self.run / f"{name}.pid"
            if file.is_file():
                os.kill(int(file.read_text(encoding="utf-8")), signal.SIGTERM)
        _wait("the daemons to end", lambda: not list(self.run.glob("*.pid")))

    def idle(self) -> int:
        """How many nodes are idle."""
        states = _call("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False)
        return states.split().count("idle")

    def jobs(self, columns: str) -> list[list[str]]:
        """Every job that the controller remembers; `columns` as in squeue's format."""
        text = _call("squeue", "-h", "--states=all", "-o", columns)
        return [line.split() for line in text.splitlines()]

    def preempt(self, seconds: int) -> None:
        """Occupy all nodes with a job of the urgent partition."""
        _call(
            "sbatch", "-p", "urgent", "-N", str(len(NODES)), "--exclusive", "-o", "/dev/null",
            "--wrap", f"sleep {seconds}",
        )  # fmt: skip


def _call(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _wait(what: str, ready: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds} s for {what}")
        time.sleep(0.1)
