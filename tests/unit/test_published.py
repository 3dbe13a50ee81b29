"""Published figures fit what they stand beside, and say whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gait.config.dataset import Dataset
from gait.config.load import dataset_names, experiment_names, load_dataset, model_names
from gait.config.published import Published, unfounded
from gait.zoo.figures import DASH, figure_lines, tables

REPOSITORY = Path(__file__).parents[2]
WALKS = {
    "title": "walks",
    "gallery": {"condition": ["nm-01"]},
    "probes": {"NM": {"condition": ["nm-*"]}, "CL": {"condition": ["cl-*"]}},
    "cells": "pooled",
    "exclude": "none",
}
PROTOCOLS = {
    "walks": WALKS,
    "one": WALKS | {"probes": {"all": {}}},
    "pairs": {"kind": "verification", "title": "pairs", "of": "walks"},
    "told": {"kind": "classification", "title": "what they wear"},
}


def figures(**changes: Any) -> dict[str, Any]:
    stated: dict[str, Any] = {"model": "GaitSet", "protocol": "walks", "table": "opengait"}
    if not any(key.endswith("_pct") for key in changes):
        stated["rank1_pct"] = {"NM": 95.8, "CL": 75.4}
    return stated | {"source": "A page"} | changes


def toy(*published: dict[str, Any], **changes: Any) -> Dataset:
    return Dataset.model_validate(
        dict.fromkeys(("name", "title", "licence", "obtain"), "Toy")
        | {
            "layouts": [],
            "partition": {"train": [], "test": []},
            "protocols": PROTOCOLS,
            "categories": {"coat": {"condition": ["cl-*"]}, "none": {"condition": ["nm-*"]}},
            "published": list(published),
        }
        | changes
    )


def repository(name: str) -> list[Published]:
    return load_dataset(REPOSITORY, name)[0].published


def experiments(dataset: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, model, save_name in experiment_names(REPOSITORY):
        if name == dataset:
            found.setdefault(model, []).append(save_name)
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank1_pct": {"NM": 100.1}}, "less than or equal to 100"),
        ({"map_pct": {"NM": -0.1}}, "greater than or equal to 0"),
        ({"minp_pct": {"NM": float("nan")}}, "than or equal to"),
        ({"rank1_pct": {}}, "GaitSet has no figure; expected one of rank1_pct, "),
        ({"rank5_pct": {"BG": 1.0}}, "the protocol walks has no probe BG; expected CL, NM, mean"),
        ({"protocol": "one", "rank1_pct": {"mean": 1.0}}, "the protocol one has no probe mean"),
        ({"protocol": "walk"}, "no protocol is named walk; did you mean 'walks'"),
        ({"protocol": "pairs"}, "is a verification, which has no rank1_pct; remove it"),
        ({"protocol": "told"}, "a classification, which has no rank1_pct; expected accuracy_pct"),
        (
            {"accuracy_pct": {"mean": 1.0}},
            "is a retrieval, which has no accuracy_pct; expected rank1_pct",
        ),
        ({"protocol": "told", "accuracy_pct": {"coat": 1.0}}, "told has no probe coat"),
        ({"table": "ours"}, "'authors', 'opengait' or 'others'"),
    ],
)
def test_figures_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        toy(figures(**changes))


def test_an_experiment_has_to_be_there_and_a_difference_to_be_said() -> None:
    known = {"GaitSet": ["paper", "large"]}
    given = toy(
        figures(experiment="paper"),
        figures(experiment="papers"),
        figures(model="GaitGL", experiment="paper"),
        figures(),
        figures(note="of another size"),
        figures(model="GaitGL"),
    ).published
    assert unfounded(given, known) == [
        "no experiment of GaitSet is named 'papers'; did you mean 'paper'?",
        "no experiment of GaitGL is named 'paper'; none is known",
        "figures of GaitSet by walks name no experiment; name one of paper, large, or say in "
        "'note' what differs",
    ]


def test_every_protocol_experiment_and_source_has_a_line() -> None:
    dataset = toy(
        figures(protocol="one", experiment="paper", rank1_pct={"all": 60.0}, map_pct={"all": 5}),
        figures(experiment="paper"),
        figures(
            experiment="large",
            rank1_pct={"CL": 84.0, "mean": 87.2},
            rank5_pct={"CL": 93.5},
            minp_pct={"mean": 12.5},
            table="authors",
        ),
        figures(table="others", note="Of another size"),
        figures(model="GaitGL"),
        figures(model="ScoNet", protocol="told", accuracy_pct={"mean": 82.0}),
    )
    known = {"GaitGL": [], "GaitSet": ["large", "paper", "small"], "ScoNet": []}
    assert tables([(dataset, figure_lines(dataset, known))]) == [
        "### Toy",
        "",
        "| experiment | protocol | rank-1 | rank-5 | mAP | mINP | accuracy | by |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| GaitGL, no experiment | walks | NM 95.8, CL 75.4 |  |  |  |  | OpenGait (1) |",
        "| GaitSet/large | walks | CL 84.0, mean 87.2 | CL 93.5 |  | mean 12.5 |  "
        "| the authors (1) |",
        "| GaitSet/paper | walks | NM 95.8, CL 75.4 |  |  |  |  | OpenGait (1) |",
        "| GaitSet/paper | one | 60.0 |  | 5.0 |  |  | OpenGait (1) |",
        f"| GaitSet/small |  | {DASH} |  |  |  |  |  |",
        "| GaitSet, another recipe | walks | NM 95.8, CL 75.4 |  |  |  |  | others (2) |",
        "| ScoNet, no experiment | told |  |  |  |  | 82.0 | OpenGait (1) |",
        "",
        "1. A page.",
        "2. A page. Of another size.",
        "",
    ]


def test_of_many_conditions_the_row_of_all_is_listed() -> None:
    probes = {name: {"condition": [name]} for name in ("a", "b", "c", "d", "Overall")}
    whole = figures(rank1_pct={"a": 1.0, "Overall": 2.0})
    part = figures(rank1_pct={"a": 1.0, "d": 3.0})
    dataset = toy(whole, part, protocols={"walks": WALKS | {"probes": probes}})
    lines = figure_lines(dataset, {"GaitSet": []})
    assert [each.figures["rank1_pct"] for each in lines] == ["Overall 2.0", "a 1.0, d 3.0"]


def test_a_dataset_that_cannot_be_scored_has_no_dash() -> None:
    listed = [(toy(), figure_lines(toy(), {"GaitSet": ["paper"]}))]
    training = toy(protocols={})
    listed.append((training, figure_lines(training, {"GaitSSB": ["paper"]})))
    assert tables(listed)[2:] == [
        f"- {DASH}: Toy (GaitSet/paper).",
        "- For training only, so that no figure can exist: Toy (GaitSSB/paper).",
    ]


@pytest.mark.parametrize("name", dataset_names(REPOSITORY))
def test_the_repository_s_figures_name_what_there_is(name: str) -> None:
    published = repository(name)
    assert unfounded(published, experiments(name)) == []
    assert {each.model for each in published} <= set(model_names(REPOSITORY))


def test_figures_that_were_wrong_are_gone() -> None:
    """What stood beside our own and was of another dataset, model or recipe."""
    for name in ("OUMVLP", "OUMVLP-Pose"):
        assert not [each for each in repository(name) if each.model == "SkeletonGait"]

    def rank1(dataset: str, model: str, experiment: str, row: str = "all") -> list[float]:
        return [
            each.rank1_pct[row]
            for each in repository(dataset)
            if (each.model, each.experiment) == (model, experiment) and row in each.rank1_pct
        ]

    # Of COCO's joints, for which there is no experiment.
    assert rank1("OUMVLP-Pose17", "SkeletonGait", "", "NM") == [67.4]
    # Pseudo 3-D convolutions, as our recipe has.
    assert rank1("GREW", "DeepGaitV2", "paper") == [77.7]
    assert rank1("OUMVLP", "DeepGaitV2", "paper", "NM") == [91.9]
    assert rank1("GREW", "SkeletonGait++", "paper") == [85.8]
    assert rank1("Gait3D", "SkeletonGait++", "paper") == [77.6]
    assert rank1("SUSTech1K", "SkeletonGait", "paper", "Overall") == [63.0]
    # Trained on 30 frames, and ours on 10.
    assert rank1("SUSTech1K", "DeepGaitV2", "paper", "Overall") == []
    assert rank1("SUSTech1K", "SkeletonGait++", "paper", "Overall") == [81.33]
    # Of configurations that our experiments follow.
    assert rank1("CASIA-B-star", "GaitGL", "paper", "CL") == [81.0]
    assert rank1("CASIA-B-star", "GaitEdge", "paper", "CL") == [88.0]
    assert rank1("CASIA-B-star", "GaitEdge", "end-to-end", "CL") == [89.1]
    assert rank1("GREW", "GaitGL", "bnneck") == [51.7]
    # Of 0.13B parameters, and ours of 0.03B.
    for name in ("Gait3D", "CCGR-MINI"):
        assert rank1(name, "FoundationGait_Finetune", "0.03B") == []
