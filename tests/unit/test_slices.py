"""A change of the configuration reaches the stages that depend on it and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gait.config.yaml import read_yaml
from gait.errors import ConfigError
from gait.workflow.slices import SLICES, setting_names
from tests.unit.configurations import (
    DEMO,
    adopt,
    copy_some,
    edit,
    experiment,
    flow,
    write,
)

STAGES = ("all", "training", "embedding", "scoring")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_some(tmp_path)


# The slices of an experiment that jobs depend on.


@pytest.mark.parametrize("stage", STAGES)
def test_a_slice_is_given_setting_by_setting_each_of_them_short(root: Path, stage: str) -> None:
    resolved = flow(root).experiment(*DEMO)
    found = flow(root).slice(stage, *DEMO)
    assert sorted(found) == sorted(setting_names(stage))
    assert all(len(each) < 300 for each in found.values())
    whole = SLICES[stage](resolved)
    optimizer = whole.get("experiment", {}).get("optimizer")
    if optimizer:
        text = found["experiment_optimizer"]
        assert text.startswith("optimizer: ")
        assert json.loads(text.removeprefix("optimizer: ")) == optimizer


def test_a_long_setting_tells_its_change_by_a_digest(root: Path) -> None:
    def protocols() -> str:
        return flow(root).slice("scoring", *DEMO)["protocols"]

    before = protocols()
    changed = read_yaml(root / "datasets/SynthGait/dataset.yaml")[0]["protocols"]
    changed["single_view"]["unmatched"] = "skip"
    edit(root, "datasets/SynthGait/dataset.yaml", protocols=changed)
    after = protocols()
    assert before != after and before.split("... (sha256")[0] == after.split("... (sha256")[0]


@pytest.mark.parametrize("stage", STAGES)
def test_comments_and_order_change_no_slice(root: Path, stage: str) -> None:
    before = flow(root).slice(stage, *DEMO)

    def reordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reordered(value[key]) for key in reversed(value)}
        return value

    for path in ("config/defaults.yaml", "config/models/GaitSet.yaml"):
        write(root, path, reordered(read_yaml(root / path)[0]))
    write(
        root,
        "datasets/SynthGait/dataset.yaml",
        reordered(read_yaml(root / "datasets/SynthGait/dataset.yaml")[0]),
    )
    file = root / "config/experiments/SynthGait/GaitSet/demo.yaml"
    write(root, str(file.relative_to(root)), reordered(read_yaml(file)[0]))
    file.write_text("# Why so.\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert flow(root).slice(stage, *DEMO) == before


def changed_stages(root: Path, change: Callable[[], None]) -> set[str]:
    before = {stage: flow(root).slice(stage, *DEMO) for stage in STAGES}
    change()
    return {stage for stage in STAGES if flow(root).slice(stage, *DEMO) != before[stage]}


def test_a_change_reaches_the_stages_that_depend_on_it(root: Path) -> None:
    demo, dataset = "config/experiments/SynthGait/GaitSet/demo.yaml", "datasets/SynthGait"

    def partition(**sets: list[str]) -> None:
        edit(root, f"{dataset}/partition.yaml", **sets)

    def protocols(**changes: Any) -> None:
        known = read_yaml(root / f"{dataset}/dataset.yaml")[0]["protocols"]
        known["single_view"] |= changes
        edit(root, f"{dataset}/dataset.yaml", protocols=known)

    for change, expected in (
        (lambda: edit(root, demo, logging={"log_every": 3}), set()),
        (lambda: edit(root, demo, embedding={"frames_limit": 9}), {"embedding"}),
        (lambda: edit(root, demo, evaluation={"bootstrap": 9}), {"scoring"}),
        (lambda: edit(root, demo, precision="bf16"), {"training"}),
        (lambda: edit(root, demo, iterations=9), {"training"}),
        (lambda: edit(root, demo, seed=9), {"training", "scoring"}),
        (lambda: partition(train=["001-010"]), {"training"}),
        (lambda: partition(test=["021-030"]), {"embedding"}),
        (lambda: protocols(unmatched="skip"), {"scoring"}),
        (lambda: edit(root, f"{dataset}/dataset.yaml", obtain="ask"), set()),
    ):
        # The resolved experiment shows every value, so it is written again each time.
        assert changed_stages(root, change) == expected | {"all"}


def test_another_experiment_has_slices_of_its_own(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/other", iterations=3)
    assert changed_stages(root, lambda: experiment(root, "SynthGait/GaitSet/other")) == set()


# Experiments tested on another dataset.


def test_tested_elsewhere_what_counts_is_the_other_dataset(root: Path) -> None:
    adopt(root, "OUMVLP", "090.pkl")
    edit(root, "config/experiments/SynthGait/GaitSet/demo.yaml", evaluation={"bootstrap": 3})
    known = flow(root)
    on = (*DEMO, "/on-OUMVLP")
    assert known.test_index(*on) == "data/OUMVLP/packed/index.csv"
    assert known.test_index(*DEMO, "") == "data/SynthGait/packed/index.csv"
    own, other = known.slice("embedding", *DEMO), known.slice("embedding", *on)
    assert {name for name in own if own[name] != other[name]} == {"test"}
    tested = known.evaluated(*on)
    assert tested.embedding_slice()["test"] == known.dataset("OUMVLP").partition.test
    scoring = tested.scoring_slice()
    assert set(scoring["protocols"]) == set(known.dataset("OUMVLP").protocols)
    assert scoring["evaluation"]["bootstrap"] == 3
    assert (tested.dataset.name, tested.trained_on) == ("OUMVLP", "SynthGait")
    # What was published for it is of models trained on it.
    assert known.dataset("OUMVLP").published and tested.dataset.published == []


def test_a_change_of_either_dataset_stays_where_it_belongs(root: Path) -> None:
    adopt(root, "OUMVLP", "090.pkl")
    on = (*DEMO, "/on-OUMVLP")
    stages = [("training", DEMO)] + [
        (stage, key) for key in (DEMO, on) for stage in ("embedding", "scoring")
    ]

    def slices() -> list[dict[str, str]]:
        known = flow(root)
        return [known.slice(stage, *key) for stage, key in stages]

    def changed(path: str, **changes: Any) -> list[Any]:
        before = slices()
        edit(root, path, **changes)
        return [stage for stage, a, b in zip(stages, before, slices(), strict=True) if a != b]

    protocols = read_yaml(root / "datasets/OUMVLP/dataset.yaml")[0]["protocols"]
    next(iter(protocols.values()))["unmatched"] = "skip"
    assert changed("datasets/OUMVLP/dataset.yaml", protocols=protocols) == [("scoring", on)]
    assert changed("datasets/OUMVLP/partition.yaml", train=[]) == []
    own = ["single_view"]
    demo = "config/experiments/SynthGait/GaitSet/demo.yaml"
    # A choice among the protocols of its own dataset means nothing elsewhere.
    assert changed(demo, evaluation={"protocols": own}) == [("scoring", DEMO)]
    assert changed("datasets/SynthGait/partition.yaml", test=["031-032"]) == [("embedding", DEMO)]


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ("OUMVPL", "no dataset is named 'OUMVPL'.*did you mean 'OUMVLP'"),
        ("SynthGait", "is trained on SynthGait itself; ask for SynthGait/GaitSet/demo$"),
        ("GaitLU-1M", "GaitLU-1M has no protocol to be scored by; add 'protocols' to datasets/"),
    ],
)
def test_what_cannot_be_tested_on_is_refused(root: Path, on: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        flow(root).slice("embedding", *DEMO, f"/on-{on}")


def test_settings_of_preparation_that_are_not_set_change_no_command(root: Path) -> None:
    options = flow(root).pretreatment("OUMVLP-Pose")
    # As before there were others: a new option would prepare every dataset anew.
    usual = ["--kind=normalise", "--size-px=64", "--min-frames=1", "--frame-order=lexical"]
    assert options == usual
    assert flow(root).pretreatment("OUMVLP-Pose17") == [*usual, "--joints=coco"]
