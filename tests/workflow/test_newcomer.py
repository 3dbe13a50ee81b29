"""What the guides print works as printed: a new model, and one's own data."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.workflow.workspace import REPOSITORY, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

_WALKERS = ("anna", "bert", "carl", "dora", "emil")


def block(guide: str, language: str, number: int) -> str:
    """The n-th code block of a guide, so that what is documented is what is tested."""
    text = (REPOSITORY / "docs" / guide).read_text(encoding="utf-8")
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return textwrap.dedent(blocks[number][1])


def test_a_model_is_one_file_and_one_yaml(
    fresh: Callable[[], Workspace], finished_once: Workspace, tmp_path: Path
) -> None:
    workspace = fresh()
    shutil.copytree(finished_once.root / "data", workspace.root / "data", symlinks=True)
    package = tmp_path / "package"
    shutil.copytree(REPOSITORY / "gait", package / "gait")
    (package / "gait/models/stripenet.py").write_text(
        block("adding-a-model.md", "python", 0), encoding="utf-8"
    )
    (workspace.root / "config/models/StripeNet.yaml").write_text(
        block("adding-a-model.md", "yaml", 0), encoding="utf-8"
    )
    # As printed, but for what the tiny population does not have, and fewer iterations.
    recipe = yaml.safe_load(block("adding-a-model.md", "yaml", 1))
    recipe["sampler"] |= {"subjects": 2, "sequences": 2}
    recipe["iterations"] = 6
    workspace.write("config/experiments/SynthGait/StripeNet/first.yaml", recipe)
    done = subprocess.run(
        workspace.command("results/SynthGait/StripeNet/report.csv"),
        cwd=workspace.root,
        env=workspace.environment | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    table = (workspace.root / "results/SynthGait/StripeNet/report.csv").read_text(encoding="utf-8")
    assert "StripeNet" in table
    listed = subprocess.run(
        [sys.executable, "-c", "from gait import registry; print(registry.names('model'))"],
        env=workspace.environment | {"PYTHONPATH": str(package)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "StripeNet" in listed.stdout


def test_own_videos_need_two_files(
    fresh: Callable[[], Workspace], finished_once: Workspace
) -> None:
    workspace = fresh()
    clips = finished_once.root / "data/SynthGait/raw"
    raw = workspace.root / "data/mine/raw"
    raw.mkdir(parents=True)
    names = dict(zip(("001", "002", "003", "004", "005"), _WALKERS, strict=True))
    takes = {"nm-01": "walk1", "nm-02": "walk2", "bkgrd": "background"}
    for clip in clips.rglob("*.avi"):
        subject, take, view = re.fullmatch(r"(\d+)-(.*)-(\d+)", clip.stem).groups()  # type: ignore[union-attr]
        if subject in names and take in takes:
            shutil.copy(clip, raw / f"{names[subject]}-{takes[take]}-{view}.avi")
    (workspace.root / "datasets/mine").mkdir()
    definition = workspace.root / "datasets/mine/dataset.yaml"
    definition.write_text(block("own-data.md", "yaml", 0), encoding="utf-8")
    recipe = yaml.safe_load(block("own-data.md", "yaml", 1))
    workspace.write("config/experiments/mine/GaitSet/first.yaml", recipe | {"iterations": 6})
    run = workspace.made("results/mine/GaitSet/report.csv")
    assert "iteration 6/6: loss" in run.output
    table = (workspace.root / "results/mine/GaitSet/report.csv").read_text(encoding="utf-8")
    assert "first_against_second" in table
