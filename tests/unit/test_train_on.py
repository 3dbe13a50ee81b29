"""Two datasets that are trained on together, from their stores to the model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.load import load_experiment
from gait.config.resolved import Resolved
from gait.data.dataset import JointTrainingSet
from gait.engine import trainer
from gait.engine.state.checkpoint import fingerprint
from gait.engine.state.weights import read_model
from gait.engine.trainer import train
from gait.errors import ConfigError
from tests.engine_fixtures import resolved, write_store

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The store of Tiny, beside that of Other, whose subjects have other names."""
    write_store(tmp_path / "Tiny/packed")
    shutil.copytree(tmp_path / "Tiny", tmp_path / "Other")
    index = tmp_path / "Other/packed/index.csv"
    index.write_text(index.read_text().replace("\n00", "\na0"))
    return tmp_path / "Tiny/packed"


def together(**changes: Any) -> Resolved:
    stated = resolved(train_on={"Other": 8.0}, **changes).model_dump(mode="json")
    other = {**stated["dataset"], "name": "Other"}
    other["partition"] = {"train": ["a01-a04", "a99"], "test": ["a05-a08"]}
    return Resolved.model_validate(stated | {"others": [other]})


def test_two_stores_are_trained_on_together_and_resumed_exactly(
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn: list[list[int]] = []
    shares: list[list[float]] = []

    class Recorded(JointTrainingSet):
        def __getitem__(self, iteration: int) -> Any:
            shares.append(np.array(self._probabilities).tolist())
            batch = super().__getitem__(iteration)
            drawn.append(sorted(set(batch.labels.tolist())))
            return batch

    monkeypatch.setattr(trainer, "JointTrainingSet", Recorded)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(together(), packed, whole, whole / "model.pt")
    assert "Other: the data lack 1 of 5 training subjects: a99\n" in capsys.readouterr().out
    # 30 and 24 sequences: cube roots of 30 and of 8 x 24.
    roots = [30 ** (1 / 3), (8 * 24) ** (1 / 3)]
    np.testing.assert_allclose(shares, [[each / sum(roots) for each in roots]] * 4, rtol=1e-12)
    # Each batch is of one of them, of which the second one's classes come after the first one's.
    assert len(drawn) == 4
    assert all(max(each) < 5 or min(each) >= 5 for each in drawn)
    assert {min(each) >= 5 for each in drawn} == {True, False}
    model = read_model(whole / "model.pt")
    assert model.provenance["classes"] == [
        *(f"Tiny/00{number}" for number in range(1, 6)),
        *(f"Other/a0{number}" for number in range(1, 5)),
    ]
    assert model.sizes["num_classes"] == 9

    train(together(iterations=2), packed, cut, cut / "model.pt")
    train(together(), packed, cut, cut / "model.pt")
    assert (cut / "model.pt").read_bytes() == (whole / "model.pt").read_bytes()


def test_a_run_belongs_to_the_data_of_both(packed: Path) -> None:
    before, alone = fingerprint(together(), packed), fingerprint(resolved(), packed)
    assert before.data != alone.data
    index = packed.parents[1] / "Other/packed/index.csv"
    text = index.read_text()
    digest = text.splitlines()[1].rpartition(",")[2]
    index.write_text(text.replace(digest, digest[::-1]))
    after = fingerprint(together(), packed)
    assert (before.data != after.data, before.all != after.all) == (True, True)
    assert fingerprint(resolved(), packed) == alone
    # What nobody trains on is no part of it.
    index.write_text(text.replace("a07,", "a09,"))
    assert fingerprint(together(), packed) == before


def test_datasets_to_train_on_are_found_by_name(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    for name in ("SynthGait", "OUMVLP"):
        shutil.copytree(REPOSITORY / "datasets" / name, tmp_path / "datasets" / name)
    path = tmp_path / "config/experiments/SynthGait/GaitSet/both.yaml"
    path.write_text("train_on: {OUMVLP: 2.5}\n", encoding="utf-8")
    found, _ = load_experiment(tmp_path, "SynthGait", "GaitSet", "both")
    assert found.experiment.train_on == {"OUMVLP": 2.5}
    assert [each.name for each in found.others] == ["OUMVLP"]
    assert set(found.training_slice()["train"]) == {"SynthGait", "OUMVLP"}
    path.write_text("iterations: 1\ntrain_on: [OUMVLPP, SynthGait]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_experiment(tmp_path, "SynthGait", "GaitSet", "both")
    first, second = caught.value.problems
    assert "both.yaml:2: train_on: " in first and "'OUMVLP'" in first
    assert second.endswith("both.yaml:2: train_on: SynthGait is trained on anyway; remove it")
