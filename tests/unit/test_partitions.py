"""Who is trained on and tested on: subjects by name, range and rule, or by a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gait.config.dataset import (
    Partition,
    absence,
    matching_subjects,
    named_subjects,
    surplus,
)
from gait.config.load import (
    load_dataset,
)
from gait.config.protocol import Retrieval
from gait.config.yaml import read_yaml, write_yaml
from gait.errors import ConfigError
from tests.unit.configurations import copy_configuration


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_configuration(tmp_path)


def test_subjects_by_name_and_range() -> None:
    subjects = ["001", "002", "074", "075", "alice"]
    assert matching_subjects(subjects, ["001-074"]) == ["001", "002", "074"]
    assert matching_subjects(subjects, ["alice", "075"]) == ["075", "alice"]
    assert matching_subjects(subjects, ["*"]) == subjects


def test_subjects_by_rule() -> None:
    assert named_subjects(["00001-00007/3"]) == {"00001", "00004", "00007"}
    assert named_subjects(["8-11"]) == {"8", "9", "10", "11"}
    assert named_subjects(["098-101", "998-1000"]) == {
        *("098", "099", "100", "101"),
        *("998", "999", "1000"),
    }
    assert named_subjects(["D_09-D_10", "1train-2train"]) == {"D_09", "D_10", "1train", "2train"}
    # No ranges: the text around the numbers differs, or the numbers get shorter.
    assert named_subjects(["a1-b2", "0010-20"]) == {"a1-b2", "0010-20"}
    for wrong in ("074-001", "001-009/0"):
        with pytest.raises(ConfigError, match=f"the range {wrong} holds nothing"):
            named_subjects([wrong])


def test_long_lists_may_be_written_as_one_text(root: Path) -> None:
    path = root / "datasets/SynthGait/partition.yaml"
    path.write_text("train: >-\n  001-003\n  005\ntest: [anna]\n", encoding="utf-8")
    partition = load_dataset(root, "SynthGait")[0].partition
    assert (partition.train, partition.test) == (["001-003", "005"], ["anna"])


JSON = {
    "TRAIN_SET": ["001", "002", "anna"],
    "TEST_SET": ["003", "004"],
    "PROBE_SET": ["003-nm-01-090", "004-bg-000"],
}


def with_json(root: Path, stated: Any = JSON, name: str = "mine.json") -> None:
    """SynthGait cut by a JSON file, and scored by its list of probes."""
    folder = root / "datasets/SynthGait"
    (folder / name).parent.mkdir(exist_ok=True)
    text = stated if isinstance(stated, str) else json.dumps(stated, indent=1)
    (folder / name).write_text(text, encoding="utf-8")
    (folder / "partition.yaml").unlink(missing_ok=True)
    data = read_yaml(folder / "dataset.yaml")[0] | {"partition": name}
    data["protocols"]["single_view"]["probes"] = {"all": {"sequences": "probes"}}
    (folder / "dataset.yaml").write_text(write_yaml(data), encoding="utf-8")


@pytest.mark.parametrize("name", ["mine.json", "cuts/mine.json"])
def test_a_dataset_may_be_cut_by_a_json_file(root: Path, name: str) -> None:
    with_json(root, name=name)
    dataset = load_dataset(root, "SynthGait")[0]
    assert dataset.partition.train == JSON["TRAIN_SET"]
    assert dataset.partition.test == JSON["TEST_SET"]
    protocol = dataset.protocols["single_view"]
    assert isinstance(protocol, Retrieval)
    assert protocol.probes["all"].sequences == ["003/nm-01/090", "004/bg/000"]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("{", r"mine\.json: is not valid JSON"),
        (
            {"TRAIN_SET": ["1"]},
            r"mine\.json: expected lists of subjects under TRAIN_SET and TEST_SET",
        ),
        (
            JSON | {"PROBESET": []},
            r"mine\.json:\d+: PROBESET is unknown; did you mean 'PROBE_SET'",
        ),
        (JSON | {"TEST_SET": [3, 4]}, r"mine\.json:7: TEST_SET: expected a list of names"),
        (JSON | {"PROBE_SET": ["003-090"]}, r"mine\.json:\d+: expected <subject>-.*'003-090'"),
        (JSON | {"TEST_SET": ["001"]}, "share subjects, such as 001"),
        ({k: JSON[k] for k in ("TRAIN_SET", "TEST_SET")}, "no list of sequences 'probes'"),
    ],
)
def test_a_wrong_json_file_is_told_with_its_place(root: Path, stated: Any, message: str) -> None:
    with_json(root, stated)
    with pytest.raises(ConfigError, match=message):
        load_dataset(root, "SynthGait")


def test_a_json_file_that_is_not_there_or_not_alone_is_told(root: Path) -> None:
    with_json(root)
    (root / "datasets/SynthGait/mine.json").unlink()
    with pytest.raises(ConfigError, match=r"datasets/SynthGait/mine\.json: cannot be read"):
        load_dataset(root, "SynthGait")
    (root / "datasets/SynthGait/partition.yaml").write_text("train: []\ntest: [a]\n")
    with pytest.raises(ConfigError, match=r"partition: stands in .*partition\.yaml as well"):
        load_dataset(root, "SynthGait")


def test_subjects_of_neither_set_are_told() -> None:
    partition = Partition(train=["001-003"], test=["x"])
    assert surplus(["002", "004", "x"], partition) == (
        "1 of 3 subjects of the data are in neither the training nor the test set: 004"
    )
    assert surplus(["002", "x"], partition) == ""
    assert surplus(["002", "y"], Partition(train=[], test=["*"])) == ""


def test_named_subjects_that_the_data_lack_are_told() -> None:
    assert absence(["001", "003"], ["001-004", "*"], "test") == (
        "the data lack 2 of 4 test subjects: 002, 004"
    )
    assert absence(["001", "anna"], ["001", "anna"], "test") == ""


@pytest.mark.parametrize(
    ("train", "test", "shared"),
    [("[001-010]", "[010-020]", "010"), ("[anna]", "['*']", "[*]"), ("['*']", "['001']", "[*]")],
)
def test_a_subject_of_both_sets_is_refused(root: Path, train: str, test: str, shared: str) -> None:
    path = root / "datasets/SynthGait/partition.yaml"
    path.write_text(f"train: {train}\ntest: {test}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"share subjects, such as {shared}"):
        load_dataset(root, "SynthGait")
