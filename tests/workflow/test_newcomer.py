"""What docs/adding-a-model.md says: one file and one YAML add a model."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.workflow.workspace import REPOSITORY, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def block(language: str, number: int) -> str:
    """The n-th code block of the guide, so that what is documented is what is tested."""
    text = (REPOSITORY / "docs/adding-a-model.md").read_text(encoding="utf-8")
    blocks = [each.split("```")[0] for each in text.split(f"```{language}\n")[1:]]
    return blocks[number]


def test_a_model_is_one_file_and_one_yaml(
    fresh: Callable[[], Workspace], finished_once: Workspace, tmp_path: Path
) -> None:
    workspace = fresh()
    shutil.copytree(finished_once.root / "data", workspace.root / "data", symlinks=True)
    package = tmp_path / "package"
    shutil.copytree(REPOSITORY / "gait", package / "gait")
    (package / "gait/models/stripenet.py").write_text(block("python", 0), encoding="utf-8")
    (workspace.root / "config/models/StripeNet.yaml").write_text(
        block("yaml", 0), encoding="utf-8"
    )
    # As printed, but for what the tiny population does not have, and fewer iterations.
    recipe = yaml.safe_load(block("yaml", 1))
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
