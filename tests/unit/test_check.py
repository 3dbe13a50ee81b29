"""What is amiss with a dataset is found before any long job, each with what to do about it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from gait.config.load import load_dataset
from gait.config.yaml import write_yaml
from gait.prepare.check import check
from gait.prepare.check.findings import Finding, Report, Severity
from tests.unit.checked import VIEWS, definition, lay_silhouettes, png, the


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_silhouettes(tmp_path)


def test_a_whole_dataset_has_nothing_amiss(root: Path) -> None:
    report = check(root, definition())
    assert report.findings == []
    assert "24 of 24 sequences, 4 subjects, 2 views" in str(report)


def test_a_missing_subject_is_named_and_still_usable(root: Path) -> None:
    (root / "raw/003").rename(root / "away")
    report = check(root, definition())
    finding = the(report, "missing test subjects")
    assert (finding.severity, finding.count, finding.example) == (Severity.warning, 1, "003")
    assert report.errors == [] and len(report.findings) == 1


def test_without_any_test_subject_it_says_what_cannot_be_done(root: Path) -> None:
    for subject in ("003", "004"):
        (root / "raw" / subject).rename(root / subject)
    finding = the(check(root, definition()), "missing test subjects")
    assert finding.count == 2 and "nothing can be scored" in finding.fix


def test_subjects_of_a_json_file_are_compared_with_those_there(root: Path) -> None:
    folder = root / "datasets/Toy"
    folder.mkdir(parents=True)
    sets = {"TRAIN_SET": ["001", "002", "777"], "TEST_SET": ["003"]}
    (folder / "toy.json").write_text(json.dumps(sets), encoding="utf-8")
    stated = definition().model_dump(mode="json", exclude={"name"}) | {"partition": "toy.json"}
    (folder / "dataset.yaml").write_text(write_yaml(stated), encoding="utf-8")
    report = check(root, load_dataset(root, "Toy")[0])
    assert the(report, "missing training subjects").example == "777"
    assert the(report, "neither the training nor the test set").example == "004"


def test_subjects_of_another_partition_are_an_error(root: Path) -> None:
    other = definition(partition={"train": ["a"], "test": ["b"]})
    [error] = check(root, other).errors
    assert error.example == "expected a, b, got 001, 002, 003, ..."


def test_subjects_that_no_set_names_are_noted(root: Path) -> None:
    fewer = definition(partition={"train": ["001"], "test": ["003-004"]})
    finding = the(check(root, fewer), "neither")
    assert (finding.severity, finding.example) == (Severity.note, "002")


def test_where_all_subjects_are_taken_their_number_counts(root: Path) -> None:
    anybody = definition(partition={"train": [], "test": ["*"]}, expected={"subjects": 5})
    finding = the(check(root, anybody), "missing subjects")
    assert finding.count == 1 and finding.example == "4 are there, expected 5"


def test_missing_sequences_are_counted_by_condition_and_named(root: Path) -> None:
    for view in VIEWS:
        (root / "raw/002/nm-02" / view).rename(root / view)
    report = check(root, definition())
    finding = the(report, "missing sequences of nm-*")
    assert finding.count == 2
    assert finding.example == "of 002: 002/nm-02/000, 002/nm-02/090"
    assert len(report.findings) == 1


def test_unknown_conditions_views_and_too_many_sequences(root: Path) -> None:
    (root / "raw/001/cl-01").mkdir()
    (root / "raw/001/bg-01/000").rename(root / "raw/001/cl-01/000")
    (root / "raw/002/bg-01/000").rename(root / "raw/002/bg-01/018")
    (root / "raw/003/nm-03").mkdir()
    (root / "raw/004/nm-01/000").rename(root / "raw/003/nm-03/000")
    report = check(root, definition())
    assert the(report, "unknown condition").example == "001/cl-01/000"
    assert the(report, "unknown view").example == "018"
    assert the(report, "more than 4 sequences").example == "003 with 5"
    assert the(report, "missing sequences of nm-*").example == "of 004: 004/nm-01/000"


def test_a_missing_view_and_the_plain_number_of_sequences(root: Path) -> None:
    wanted = {"sequences": 30, "views": "000 090 1[0-9]*"}
    report = check(root, definition(expected=wanted))
    assert the(report, "missing views").example == "1[0-9]*"
    finding = the(report, "missing sequences")
    assert finding.count == 6 and finding.example == "24 are there, expected 30"


def test_an_empty_folder_beside_a_pkl_tree_is_to_be_removed(root: Path) -> None:
    (root / "raw").rename(root / "pkl")
    (root / "raw").mkdir()
    [error] = check(root, definition()).errors
    assert "no file either" in error.example
    assert error.fix.startswith(f"remove that folder to have {root / 'pkl'} taken over")


def test_protocols_that_find_nothing_are_told_before_anything_is_trained(root: Path) -> None:
    retrieval = {
        "title": "toy",
        "gallery": {"condition": ["nm-01"]},
        "probes": {"again": {"condition": ["nm-02"]}, "coat": {"condition": ["cl-*"]}},
        "cells": "pooled",
        "exclude": "none",
    }
    two = {"fine": retrieval, "wrong": retrieval | {"gallery": {"condition": ["mn-01"]}}}
    report = check(root, definition(protocols=two))
    gallery = the(report, "galleries")
    assert (gallery.severity, gallery.count) == (Severity.warning, 1)
    assert gallery.example == "wrong: condition mn-01"
    probes = the(report, "without a probe")
    assert (probes.severity, probes.count) == (Severity.note, 2)
    assert probes.example == "fine: coat, wrong: coat"
    assert len(report.findings) == 2


@pytest.mark.parametrize(
    ("files", "likely"),
    [
        (["Silhouette_000-00/00001/0001.png"], "silhouettes of OUMVLP"),
        (["0000/camid0_videoid2/seq0/human_crop_f11627.png"], "Gait3D"),
        (["001/U0_D0_BG/CAM_1/1.jpg"], "CCPG"),
        (["001/nm-01/090/090.pkl"], "a pkl tree, which belongs into the folder pkl"),
        (["mine/001/nm-01/090/090.pkl"], "pkl files 4 folders down; expected there"),
        (["0001/devid0/seq_00/image/image.pkl"], "FreeGait"),
        (["OUMVLP.zip", "password.txt"], "archives of other names or contents"),
        (["GaitDatasetB-silh.zip"], "archives of other names or contents"),
        (["anna/walk/1.png"], "images 2 folders down; expected there"),
        (["00001/0001.png"], "images 1 folder down; expected there"),
        (["notes.txt", "more.txt"], ""),
    ],
)
def test_a_wrong_layout_is_guessed(tmp_path: Path, files: list[str], likely: str) -> None:
    for file in files:
        (tmp_path / "raw" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / file).write_bytes(png())
    report = check(tmp_path, definition(layouts=["casia_b_videos"]))
    [error] = report.errors
    assert str(tmp_path / "raw") in error.example and "toy maker" in error.fix
    told = f"{error.example}; {error.fix}"
    assert f"which look like {likely}" in told if likely else "look like" not in told


def test_nothing_there_is_an_error_that_says_how_to_obtain_it(tmp_path: Path) -> None:
    [error] = check(tmp_path, definition()).errors
    assert "there is no such folder" in error.example and "ask the toy maker" in error.fix


@pytest.mark.parametrize("folder", ["raw", "pkl"])
def test_a_file_in_the_place_of_a_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).write_text("hello")
    [error] = check(tmp_path, definition()).errors
    assert f"{tmp_path / folder}: expected a folder, got a file" in error.example


def test_a_rendered_dataset_follows_from_its_population(tmp_path: Path) -> None:
    walkers = {"subjects": 4, "views_deg": [0, 90], "sequences": {"nm": 2, "bg": 1}}
    rendered = definition(population=walkers, expected={})
    assert (
        rendered.whole
        == definition(
            expected={
                "subjects": 4,
                "sequences": 24,
                "views": "000 090",
                "conditions": {"nm-*": 4, "bg-*": 2},
            }
        ).expected
    )
    [error] = check(tmp_path, rendered).errors
    assert "gait synthesize" in error.fix


def test_the_table_has_every_finding_and_the_screen_holds_some() -> None:
    findings = [Finding(Severity.warning, f"kind {n}", n, "", "mend it") for n in range(1, 31)]
    report = Report("Toy", findings)
    rows = list(csv.DictReader(io.StringIO(report.table)))
    assert len(rows) == 30 and rows[0] == {
        "severity": "warning",
        "kind": "kind 1",
        "count": "1",
        "example": "",
        "fix": "mend it",
    }
    assert len(str(report).splitlines()) <= 24 and "12 more" in str(report)
