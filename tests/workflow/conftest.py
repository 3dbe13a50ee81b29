"""Workspaces: a finished one to copy from, made once, so that each test starts from results."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

TABLE = "results/SynthGait/GaitSet/report.csv"


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The tiny population, from rendering to its table; not to be changed."""
    workspace = Workspace(tmp_path_factory.mktemp("finished"))
    workspace.made(TABLE)
    return workspace


@pytest.fixture
def finished(finished_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace that a test may change."""
    root = tmp_path / "workspace"
    shutil.copytree(finished_once.root, root, symlinks=True)
    workspace = object.__new__(Workspace)
    workspace.root = root
    return workspace


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Workspace]:
    """Makes workspaces in which nothing has run."""

    def make() -> Workspace:
        root = tmp_path / f"fresh{len(list(tmp_path.iterdir()))}"
        root.mkdir()
        return Workspace(root)

    return make
