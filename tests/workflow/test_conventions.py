"""Snakemake's own checks, the report it builds, and names it has to take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gait.config.load import experiment_names, load_experiment
from gait.formats.pkl import write_pkl
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
@pytest.mark.slow
def test_report_is_built(finished: Workspace) -> None:
    quality = "results/SynthGait/quality.html"
    assert finished.made(quality).jobs == {"quality SynthGait"}
    assert finished.planned(quality) == set()
    finished.made("--report", "report.html", TABLE, quality)
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    assert "Rank-1, rank-5, mAP" in page
    assert "quality of the data" in page and "frames and sequences by reason" in page


@pytest.mark.workflow
def test_the_page_links_to_the_quality_of_its_data(finished: Workspace) -> None:
    finished.edit("config/config.yaml", targets=[TABLE])
    assert finished.made("results/report.html").jobs == {"quality SynthGait", "html_report"}
    page = (finished.root / "results/report.html").read_text(encoding="utf-8")
    assert 'href="SynthGait/quality.html"' in page


@pytest.mark.workflow
def test_an_adopted_tree_is_checked_packed_and_summed_up(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    for subject in ("0000", "0002"):
        folder = workspace.root / "data/Gait3D/pkl" / subject / "camid0_videoid2/seq0"
        write_pkl(folder / "seq0.pkl", np.full((6, 64, 64), 255, np.uint8))
    quality = "results/Gait3D/quality.csv"
    jobs = {"check Gait3D", "import_pkl Gait3D", "pack Gait3D", "quality Gait3D"}
    assert workspace.made(quality).jobs == jobs
    assert "kept,,2,12" in (workspace.root / quality).read_text(encoding="utf-8")
    findings = (workspace.root / "data/Gait3D/check.csv").read_text(encoding="utf-8")
    assert "warning,missing training subjects,2999," in findings
    assert workspace.planned(quality) == set()


@pytest.mark.workflow
@pytest.mark.slow
def test_names_with_every_allowed_character(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    for name in ("a.b", "lr=0.1", "x+y", "v1-report.csv", "model.pt"):
        workspace.experiment(f"SynthGait/GaitSet/{name}")
        jobs = workspace.planned(f"results/SynthGait/GaitSet/{name}/report.csv")
        assert f"train SynthGait GaitSet {name}" in jobs
