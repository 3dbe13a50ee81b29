"""Folders whose names a shell would take for commands, words or options."""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path
from string import Formatter

import pytest

from gait.config.yaml import read_yaml
from gait.errors import ConfigError
from gait.workflow.state import WorkflowState
from tests.workflow.workspace import POPULATION, REPOSITORY, Workspace

RULES = sorted((REPOSITORY / "workflow").rglob("*.smk"))
HOSTILE = 'it\'s $(touch pwned) "x"; `touch pwned` & \\ #ü > y'


def shell_commands(text: str) -> list[str]:
    """The command of each rule, its literals joined as Python joins them."""
    blocks = re.findall(r"^    shell:\n((?:        .*\n)+)", text, re.MULTILINE)
    return [ast.literal_eval(f"({block})") for block in blocks]


@pytest.mark.parametrize("file", RULES, ids=lambda path: path.name)
def test_every_value_in_every_command_is_quoted(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    commands = shell_commands(text)
    assert len(commands) == len(re.findall(r"^(?:rule|checkpoint) ", text, re.MULTILINE))
    bare = [
        f"{{{field}}} in {command}"
        for command in commands
        for _, field, spec, _ in Formatter().parse(command)
        if field is not None and spec != "q"
    ]
    assert not bare


@pytest.mark.workflow
@pytest.mark.slow
def test_the_workflow_runs_in_a_folder_and_with_a_data_root_of_any_name(tmp_path: Path) -> None:
    root = tmp_path / HOSTILE
    root.mkdir()
    workspace = Workspace(root)
    workspace.edit(
        "config/config.yaml",
        data_root=f"my disk/{HOSTILE}",
        shards=1,
        targets=["results/SynthGait/GaitSet/report.csv"],
    )
    population = POPULATION | {"subjects": 4, "sequences": {"nm": 5}, "duration_s": 0.6}
    workspace.edit("datasets/SynthGait/dataset.yaml", population=population)
    workspace.write(
        "datasets/SynthGait/partition.yaml", {"train": ["001-002"], "test": ["003-004"]}
    )
    workspace.experiment("SynthGait/GaitSet/tiny", iterations=2)
    workspace.experiment("SynthGait/GaitSet/other", weights=f"{HOSTILE}.pt")
    workspace.made("results/SynthGait/GaitSet/report.csv", "results/report.html")
    assert (root / "my disk" / HOSTILE / "SynthGait/packed/index.csv").is_file()
    table = root / "results/SynthGait/GaitSet/report.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert any(row["rank1_pct"] for row in rows if row["save_name"] == "tiny")
    [note] = [row["note"] for row in rows if row["save_name"] == "other"]
    assert note == f"the weights {HOSTILE}.pt are not there"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", ["a{dataset}b", "a}", "-rf", " data", "data\n", "a\x1b[2Jb"])
def test_a_data_root_that_cannot_be_is_refused_by_one_sentence(name: str) -> None:
    settings = read_yaml(REPOSITORY / "config/config.yaml")[0] | {"data_root": name}
    with pytest.raises(ConfigError, match=r"^config/config\.yaml: data_root: expected .*; rename"):
        WorkflowState(REPOSITORY, settings)


def test_a_home_folder_is_found_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me and you")
    settings = read_yaml(REPOSITORY / "config/config.yaml")[0] | {"data_root": "~/my data"}
    assert WorkflowState(REPOSITORY, settings).folder("X") == Path("/home/me and you/my data/X")
