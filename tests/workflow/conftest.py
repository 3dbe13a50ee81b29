"""Workspaces: a finished one to copy from, made once, so that each test starts from results."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

TABLE = "results/SynthGait/GaitSet/report.csv"


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Workspace:
    """The tiny population, from rendering to its table; not to be changed."""
    own = tmp_path_factory.getbasetemp()
    # Whichever of pytest-xdist's processes comes first makes it for all of them.
    root = (own if worker_id == "master" else own.parent) / "finished"
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.exists():
            return Workspace.at(root)
        making = root.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        Workspace(making).made(TABLE)
        making.rename(root)
    return Workspace.at(root)


@pytest.fixture
def finished(finished_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace that a test may change."""
    root = tmp_path / "workspace"
    shutil.copytree(finished_once.root, root, symlinks=True)
    return Workspace.at(root)


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Workspace]:
    """Makes workspaces in which nothing has run."""

    def make() -> Workspace:
        root = tmp_path / f"fresh{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        return Workspace(root)

    return make
