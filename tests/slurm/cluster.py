"""Starts and stops a real one-host SLURM: munged, slurmctld and four slurmd, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
NODES = ("n1", "n2", "n3", "n4")
GPUS_PER_NODE = 8
CONFIGURATION = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf")
# Where Debian puts daemons; not everybody's PATH has it.
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
DAEMONS = ("slurmctld", *(f"slurmd.{node}" for node in NODES), "munged")


def missing() -> str | None:
    """Why no SLURM can be started here, or None."""
    if os.geteuid() != 0:
        return "starting a SLURM needs root"
    for program in ("slurmctld", "slurmd", "munged"):
        if shutil.which(program, path=PATH) is None:
            return f"{program} is not installed (Debian: apt-get install slurm-wlm munge)"
    if any((CONFIGURATION / name).exists() and not _is_ours(name) for name in FILES):
        return f"{CONFIGURATION} configures a SLURM that is not this suite's"
    return None


class Cluster:
    """A SLURM of its own: state, key, sockets, logs and process ids lie in `run`.

    Jobs are given as the controller describes them, by the names of `scontrol show job`.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def start(self) -> None:
        """Start the daemons and wait until every node is idle."""
        earlier = (CONFIGURATION / FILES[0]).resolve().parent
        alive = [pid for name in DAEMONS if _exists(pid := Cluster(earlier).pid(name))]
        if alive:
            raise RuntimeError(
                f"a SLURM of this suite is running in {earlier}; wait for it, or end its "
                f"daemons where it was left behind: kill {' '.join(map(str, alive))}"
            )
        for folder in ("state", *(f"spool/{node}" for node in NODES)):
            (self.run / folder).mkdir(parents=True)
        # SLURM wants character devices for GPUs, and never opens them.
        for index in range(GPUS_PER_NODE):
            (self.run / f"gpu{index}").symlink_to("/dev/null")
        text = (HERE / "slurm.conf").read_text(encoding="utf-8")
        host = socket.gethostname().split(".")[0]
        text = text.replace("@RUN@", str(self.run)).replace("@HOST@", host)
        (self.run / "slurm.conf").write_text(text, encoding="utf-8")
        (self.run / "gres.conf").write_text(
            f"NodeName=n[1-4] Name=gpu File={self.run}/gpu[0-{GPUS_PER_NODE - 1}]\n",
            encoding="utf-8",
        )
        # The executor's job step drops SLURM_CONF, so the files have to be where SLURM looks.
        CONFIGURATION.mkdir(exist_ok=True)
        for name in FILES:
            (CONFIGURATION / name).unlink(missing_ok=True)
            (CONFIGURATION / name).symlink_to(self.run / name)
        self._start_munged()
        # -c forgets earlier jobs and drained nodes.
        _call("slurmctld", "-c")
        _wait("the controller", lambda: "is UP" in _call("scontrol", "ping", check=False))
        for node in NODES:
            _call("slurmd", "-N", node)
        _wait("the nodes", lambda: self.idle() == len(NODES))

    def _start_munged(self) -> None:
        key = self.run / "munged.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        # --force: only root has to reach the socket, so the folders above need not be open to all.
        _call(
            "munged", "--force", f"--key-file={key}", f"--socket={self.run}/munged.socket",
            f"--pid-file={self.run}/munged.pid", f"--log-file={self.run}/munged.log",
            f"--seed-file={self.run}/munged.seed",
        )  # fmt: skip

    def stop(self) -> None:
        """Cancel what runs, end the daemons and remove the links to the configuration."""
        links = [CONFIGURATION / name for name in FILES]
        links = [link for link in links if link.resolve().parent == self.run.resolve()]
        if not links:
            return
        _call("scancel", "--user=root", check=False)
        try:
            _wait("the jobs to end", lambda: not _call("squeue", "-h", check=False).strip())
        finally:
            daemons = [self.pid(name) for name in DAEMONS]
            for number in (signal.SIGTERM, signal.SIGKILL):
                for pid in daemons:
                    if pid is not None and _exists(pid):
                        os.kill(pid, number)
                with suppress(TimeoutError):
                    _wait("the daemons to end", lambda: not any(map(_exists, daemons)))
            for link in links:
                link.unlink()

    def pid(self, name: str) -> int | None:
        """A daemon's process, None for one that has not started or has ended."""
        file = self.run / f"{name}.pid"
        return int(file.read_text(encoding="utf-8")) if file.exists() else None

    def idle(self) -> int:
        """How many nodes are idle."""
        states = _call("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False)
        return states.split().count("idle")

    def jobs(self, rule: str, name: str = "") -> list[dict[str, str]]:
        """The jobs of a rule, those with `name` among their wildcards, by order of submission."""
        lines = _call("scontrol", "--oneliner", "show", "job").splitlines()
        jobs = [dict(re.findall(r"(?:^|\s)([\w/:]+)=(\S*)", line)) for line in lines]
        wanted = [
            job
            for job in jobs
            if job.get("Comment", "").startswith(f"rule_{rule}")
            and (not name or name in job["Comment"].split("_"))
        ]
        return sorted(wanted, key=lambda job: int(job["JobId"]))

    def preempt(self, seconds: int) -> None:
        """Occupy all nodes with a job of the urgent partition."""
        _call(
            "sbatch", "-p", "urgent", "-N", str(len(NODES)), "--exclusive", "-o", "/dev/null",
            "--wrap", f"sleep {seconds}",
        )  # fmt: skip

    def log(self, daemon: str) -> str:
        """What a daemon has said: 'slurmctld' or 'slurmd.<node>'."""
        return (self.run / f"{daemon}.log").read_text(encoding="utf-8")


def _is_ours(name: str) -> bool:
    """Whether a file of the configuration is a link that this suite has made, dangling or not."""
    path = CONFIGURATION / name
    if not path.is_symlink():
        return False
    configuration = path.readlink().parent / "slurm.conf"
    return not configuration.exists() or "ClusterName=gait-test\n" in configuration.read_text(
        encoding="utf-8"
    )


def _exists(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()


def _call(*command: str, check: bool = True) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PATH": PATH},
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _wait(what: str, ready: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)
