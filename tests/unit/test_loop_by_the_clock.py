"""What a run does by the clock, however slow its steps are: checkpoints and lines of progress."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gait import progress
from gait.config.resolved import Resolved
from gait.engine.history import read_history
from gait.engine.state.weights import read_model
from gait.engine.trainer import train
from tests.engine_fixtures import resolved, write_store


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "packed"
    write_store(path)
    return path


def _train(experiment: Resolved, packed: Path, root: Path) -> None:
    train(experiment, packed, root, root / "model.pt")


def test_checkpoints_are_written_by_time_as_well(packed: Path, tmp_path: Path) -> None:
    often = {"checkpoint_every": 100, "checkpoint_minutes": 1e-9, "keep_checkpoints": 9}
    _train(resolved(logging=often), packed, tmp_path / "often")
    assert {path.stem for path in (tmp_path / "often/checkpoints").rglob("*.pt")} == set("1234")
    rarely = {"checkpoint_every": 100, "checkpoint_minutes": 60, "keep_checkpoints": 9}
    _train(resolved(logging=rarely), packed, tmp_path / "rarely")
    assert [path.stem for path in (tmp_path / "rarely/checkpoints").rglob("*.pt")] == ["4"]
    one, other = (read_model(tmp_path / each / "model.pt").model for each in ("often", "rarely"))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_of_slow_steps_is_not_silent(
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("_FIRST_S", "_LEAST_S", "_MOST_S"):
        monkeypatch.setattr(progress, name, 0.0)
    _train(resolved(logging={"log_every": 3}), packed, tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if "iteration" in line]
    told = [line for line in lines if line.endswith("left")]
    assert [line.split()[1].rstrip(":") for line in told] == ["1/4", "2/4", "3/4", "4/4"]
    # Lines in between belong to the window that the curve holds the mean of.
    curve = read_history(tmp_path / "history.jsonl")
    assert [line["iteration"] for line in curve] == [3, 4]
    third = curve[0]["losses"]["triplet"]
    assert f"(triplet {third:.4g})" in told[2]
