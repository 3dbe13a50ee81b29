"""What cannot be scored is said before training, from the packed store."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gait.cli import app
from gait.config.yaml import write_yaml
from gait.engine.outlook import outlook
from gait.errors import DataError
from gait.types import SequenceKey
from tests.unit.packed import write_packed
from tests.unit.scores import CONDITIONS, SUBJECTS, VIEWS, an_experiment


def packed(path: Path, views: list[str], without: str = "") -> Path:
    keys = [SequenceKey(*each) for each in product(SUBJECTS, CONDITIONS, views)]
    write_packed(path, {key: 1 for key in keys if str(key) != without})
    return path


def test_nothing_is_said_of_a_whole_store(tmp_path: Path) -> None:
    assert outlook(an_experiment(), packed(tmp_path, VIEWS)) == []


def test_what_a_store_lacks_is_noted(tmp_path: Path) -> None:
    [view_pair, probe_view] = outlook(
        an_experiment(), packed(tmp_path, VIEWS[:2], f"{SUBJECTS[0]}/nm-01/{VIEWS[0]}")
    )[::2]
    assert view_pair.startswith("single: NM: 1 of 16 probes lack a sequence of their subject")
    assert probe_view.startswith("cross: NM: 1 of 16 probes lack a sequence of their subject")


def test_training_is_refused_where_nothing_can_be_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = packed(tmp_path / "packed", VIEWS[:1])
    with pytest.raises(DataError) as raised:
        outlook(an_experiment(), store)
    lines = str(raised.value).splitlines()
    assert [line.partition(": exclude")[0] for line in lines] == [
        "Toy/GaitSet/paper: protocol single",
        "Toy/GaitSet/paper: protocol cross",
    ]
    path = tmp_path / "config.yaml"
    path.write_text(write_yaml(an_experiment().model_dump(mode="json")), encoding="utf-8")
    monkeypatch.setattr("gait.engine.trainer.train", lambda *_, **__: pytest.fail("is trained"))
    # A run that failed leaves at once, which would end the tests.
    monkeypatch.setattr("gait.engine.runtime.distributed.os._exit", sys.exit)
    model = tmp_path / "model.pt"
    done = CliRunner().invoke(
        app, ["train", str(path), "--packed", str(store), "--model", str(model)]
    )
    assert done.exit_code != 0
