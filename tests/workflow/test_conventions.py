"""Snakemake's own checks, the report it builds, and names it has to take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gait.config.load import experiment_names, load_experiment
from tests.workflow.conftest import TABLE
from tests.workflow.workspace import REPOSITORY, Workspace


@pytest.mark.workflow
def test_lint_and_format() -> None:
    tools = Path(sys.executable).parent
    for command in (["snakemake", "--lint"], ["snakefmt", "--check", "workflow"]):
        done = subprocess.run(
            [str(tools / command[0]), *command[1:]],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_snakefile_is_short_and_has_no_functions() -> None:
    text = (REPOSITORY / "workflow/Snakefile").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert "def " not in text and "lambda" not in text


@pytest.mark.parametrize("experiment", experiment_names(REPOSITORY), ids="/".join)
def test_every_experiment_is_valid(experiment: tuple[str, str, str]) -> None:
    resolved, origins = load_experiment(REPOSITORY, *experiment)
    assert resolved.identity == "/".join(experiment)
    assert origins["iterations"].file.is_file()


@pytest.mark.workflow
def test_report_is_built(finished: Workspace) -> None:
    finished.made("--report", "report.html", TABLE)
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    assert "Rank-1, rank-5, mAP" in page


@pytest.mark.workflow
def test_names_with_every_allowed_character(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    for name in ("a.b", "lr=0.1", "x+y", "v1-report.csv", "model.pt"):
        workspace.experiment(f"SynthGait/GaitSet/{name}")
        jobs = workspace.planned(f"results/SynthGait/GaitSet/{name}/report.csv")
        assert f"train SynthGait GaitSet {name}" in jobs
