"""Run some tests of a copied tree in a process group of their own."""

from __future__ import annotations

import gc
import importlib
import os
import re
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MEMORY_BYTES = 8_000_000_000
# What most tests import first, and what takes longest.
_SLOW_IMPORTS = (
    "cv2",
    "matplotlib.pyplot",
    "pandas",
    "pydantic",
    "pytest",
    "rich.console",
    "scipy.ndimage",
    "sklearn.metrics",
    "torch",
    "torch.distributed",
    "torch.utils.data",
    "torch.utils.tensorboard",
    "typer",
    "yaml",
)
# Own packages are imported from the copied tree, never from where the bench stands.
_OWN = ("gait", "tests")
_OPTIONS = ("-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:unraisableexception")
_QUICK = "not slow and not slurm and not gpu"


class End(StrEnum):
    """How a run ends."""

    passed = "passed"
    failed = "failed"
    timeout = "timeout"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run gave.

    Attributes:
        end: how it ended.
        seconds: how long it took.
        output: what pytest printed.
    """

    end: End
    seconds: float
    output: str

    @property
    def failure(self) -> str:
        """The first test that failed; empty where pytest names none."""
        found = re.search(r"^(?:FAILED|ERROR) (\S+)", self.output, re.MULTILINE)
        return found[1] if found else ""


def preload() -> None:
    """Import slow packages, so that forked runs need not."""
    os.environ["OMP_NUM_THREADS"] = "1"
    # No plugin but pytest's own is needed, and to look for them takes a second.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in _SLOW_IMPORTS:
        importlib.import_module(name)
    gc.freeze()


def run(tree: Path, tests: Sequence[str], limit_s: float, marks: Path | None = None) -> Ended:
    """Run quick tests until the first one fails.

    Args:
        tree: the copied repository.
        tests: files or single tests, named from the tree.
        limit_s: seconds after which the whole process group is killed.
        marks: where to note executed lines, see `watch`.
    """
    log, scratch = tree.with_suffix(".log"), tree.with_suffix(".tmp")
    log.write_bytes(b"")
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _pytest(tree, tests, log, scratch, marks)
        except BaseException:
            log.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    descriptor = os.pidfd_open(pid)
    ended, _, _ = select.select([descriptor], [], [], limit_s)
    os.close(descriptor)
    # Whatever the tests have left running goes with them.
    _kill_group(pid)
    _, status = os.waitpid(pid, 0)
    _kill_started(tree)
    shutil.rmtree(scratch, ignore_errors=True)
    end = End.timeout if not ended else End.failed if status else End.passed
    return Ended(end, time.monotonic() - began, log.read_text(errors="replace"))


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        # Ended before it had a group of its own.
        os.kill(pid, signal.SIGKILL)


def _kill_started(tree: Path) -> None:
    """Kill programs that have left the group; they are known by the tree they import from."""
    mark = f"PYTHONPATH={tree}".encode()
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdecimal() and mark in (each / "environ").read_bytes().split(b"\0"):
                os.kill(int(each.name), signal.SIGKILL)
        except OSError:
            # Ended meanwhile, or somebody else's.
            continue


def _pytest(tree: Path, tests: Sequence[str], log: Path, scratch: Path, marks: Path | None) -> int:
    import pytest

    os.setsid()
    with log.open("wb") as written:
        for stream in (1, 2):
            os.dup2(written.fileno(), stream)
    sys.stdout, sys.stderr = (os.fdopen(each, "w", buffering=1) for each in (1, 2))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(tree)
    os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    for name in [each for each in sys.modules if each.partition(".")[0] in _OWN]:
        del sys.modules[name]
    home = str(Path(__file__).parents[2])
    sys.path[:] = [str(tree), *(each for each in sys.path if each not in ("", home))]
    plugins = []
    if marks is not None:
        plugins.append(importlib.import_module("tests.mutants.watch").Slots(marks))
    options = [*_OPTIONS, "-m", _QUICK, f"--basetemp={scratch}", f"--rootdir={tree}"]
    return int(pytest.main([*options, *tests], plugins=plugins))
