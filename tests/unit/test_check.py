"""What is amiss with a dataset is found before any long job, each with what to do about it."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.config.dataset import Dataset
from gait.config.load import load_dataset
from gait.config.yaml import write_yaml
from gait.prepare.check import check
from gait.prepare.check.findings import Finding, Report, Severity
from tests.unit.clips import Shot, film

FRAMES = 6
SUBJECTS = ("001", "002", "003", "004")
CONDITIONS = ("nm-01", "nm-02", "bg-01")
VIEWS = ("000", "090")


def definition(**changes: object) -> Dataset:
    return Dataset.model_validate(
        {
            "name": "Toy",
            "title": "toy",
            "licence": "mine",
            "obtain": "ask the toy maker",
            "layouts": ["casia_b_silhouettes", "casia_b_videos"],
            "expected": {
                "subjects": 4,
                "sequences": 24,
                "views": "000 090",
                "conditions": {"nm-*": 4, "bg-*": 2},
            },
            "partition": {"train": ["001-002"], "test": ["003-004"]},
            "protocols": {},
        }
        | changes
    )


def png(value: int = 255) -> bytes:
    image = np.zeros((40, 30), np.uint8)
    image[5:35, 10:20] = value
    return bytes(cv2.imencode(".png", image)[1])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A whole dataset of silhouettes: 4 subjects, 3 conditions, 2 views, 6 frames each."""
    image = png()
    for subject in SUBJECTS:
        for condition in CONDITIONS:
            for view in VIEWS:
                folder = tmp_path / "raw" / subject / condition / view
                folder.mkdir(parents=True)
                for number in range(1, FRAMES + 1):
                    (folder / f"{number:03d}.png").write_bytes(image)
    return tmp_path


def the(report: Report, kind: str) -> Finding:
    """The one finding whose kind contains a text."""
    [found] = [each for each in report.findings if kind in each.kind]
    return found


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


def test_short_empty_and_unreadable_sequences(root: Path) -> None:
    for number in range(3, FRAMES + 1):
        (root / f"raw/001/nm-01/000/{number:03d}.png").unlink()
    for path in (root / "raw/001/nm-01/090").iterdir():
        path.unlink()
    (root / "raw/002/nm-01/000/004.png").write_bytes(b"")
    for path in (root / "raw/002/nm-01/090").iterdir():
        path.write_bytes(b"")
    for path in (root / "raw/003/nm-01/000").iterdir():
        path.write_bytes(b"no picture at all")
    report = check(root, definition())
    assert the(report, "fewer than 5 frames").example == "001/nm-01/000"
    assert the(report, "without a frame").example == "001/nm-01/090"
    assert the(report, "images without a byte").example == "in 002/nm-01/000"
    assert the(report, "sequences without a byte").example == "002/nm-01/090"
    assert the(report, "another content").example == "003/nm-01/000"
    assert report.errors == []


def test_a_sequence_far_shorter_than_the_others(root: Path) -> None:
    image = png()
    for folder in (root / "raw").glob("*/*/*"):
        if folder != root / "raw/001/nm-01/000":
            for number in range(FRAMES, 71):
                (folder / f"{number:03d}.png").write_bytes(image)
    finding = the(check(root, definition()), "less than a tenth of the usual 70 frames")
    assert (finding.count, finding.example) == (1, "001/nm-01/000")


@pytest.mark.parametrize(
    ("image", "kind", "severity"),
    [
        (png(1), "values 0 and 1 taken as 0 and 255", Severity.note),
        (png()[:60], "unreadable", Severity.error),
        (
            bytes(cv2.imencode(".png", np.full((9, 9), 120, np.uint8))[1]),
            "mostly grey",
            Severity.warning,
        ),
        (
            bytes(cv2.imencode(".png", 255 - cv2.imdecode(np.frombuffer(png(), np.uint8), 0))[1]),
            "black on white turned into white on black",
            Severity.note,
        ),
    ],
)
def test_a_few_pictures_tell_what_all_of_them_are(
    root: Path, image: bytes, kind: str, severity: Severity
) -> None:
    for path in (root / "raw").rglob("*.png"):
        path.write_bytes(image)
    [finding] = check(root, definition()).findings
    assert kind in finding.kind and finding.severity is severity


def test_frames_taken_as_they_are_have_the_size_that_is_wanted(root: Path) -> None:
    finding = the(check(root, definition(pretreat={"kind": "as_is"})), "not 64 x 64 px")
    assert finding.severity is Severity.error
    assert "as_is" in finding.fix and "pretreat" in finding.fix


def test_numbers_without_zeros_in_front_are_noted(root: Path) -> None:
    for number in range(8, 12):
        (root / f"raw/002/nm-01/090/f{number}.png").write_bytes(png())
    finding = the(check(root, definition()), "not in the order of their numbers")
    assert (finding.severity, finding.count) == (Severity.note, 1)
    assert finding.example == "002/nm-01/090: f10.png before f8.png"
    assert "frame_order: natural" in finding.fix
    assert check(root, definition(pretreat={"frame_order": "natural"})).findings == []


def test_images_of_one_name_and_two_kinds_are_told(root: Path) -> None:
    (root / "raw/002/nm-01/090/003.jpg").write_bytes(png())
    finding = the(check(root, definition()), "several images of one name")
    assert (finding.severity, finding.count) == (Severity.warning, 1)
    assert finding.example == "002/nm-01/090: 003"


def test_videos_of_other_names_are_to_be_renamed(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for subject in SUBJECTS:
        film(tmp_path / f"raw/{subject}-nm-01-090.avi", Shot(frames=8))
    (tmp_path / "raw/004-nm-1-090.avi").write_bytes(b"")
    finding = the(check(tmp_path, definition(expected={})), "video not named like")
    assert (finding.severity, finding.count) == (Severity.warning, 1)
    assert finding.fix.startswith("rename")


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


def test_names_that_cannot_be_used_are_to_be_changed(tmp_path: Path) -> None:
    for subject in ("anna", "dörte"):
        (tmp_path / "raw" / subject / "walk/000").mkdir(parents=True)
        for number in range(6):
            (tmp_path / f"raw/{subject}/walk/000/{number}.png").write_bytes(png())
    mine = definition(layouts=["image_tree"], expected={}, partition={"train": ["*"], "test": []})
    [finding] = check(tmp_path, mine).findings
    assert "begins with no letter" in finding.kind and finding.count == 1
    assert finding.fix.startswith("rename")


def test_junk_is_noted_and_misplaced_images_are_a_warning(root: Path) -> None:
    (root / "raw/readme.txt").write_text("hello")
    (root / "raw/001/nm-01/Thumbs.db").write_text("")
    (root / "raw/001/portrait.png").write_bytes(png())
    report = check(root, definition())
    severities = {each.kind: each.severity for each in report.findings}
    assert severities == {
        "not used: image outside <subject>/<condition>/<view>/": Severity.warning,
        "not used: other .txt file": Severity.note,
        "not used: system file": Severity.note,
    }


def test_archives_are_counted_and_damage_is_told(root: Path) -> None:
    for subject in SUBJECTS:
        with tarfile.open(root / "raw" / f"{subject}.tar.gz", "w:gz") as archive:
            archive.add(root / "raw" / subject, subject)
    for path in sorted((root / "raw").glob("*/**/*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for subject in SUBJECTS:
        (root / "raw" / subject).rmdir()
    assert check(root, definition()).findings == []
    with tarfile.open(root / "raw/005.tar.gz", "w:gz") as archive:
        archive.add(__file__, "readme.txt")
    # As beside folders on the disk: what nobody looks for is no reason to worry.
    [finding] = check(root, definition()).findings
    assert (finding.severity, finding.kind) == (Severity.note, "not used: other archive member")
    (root / "raw/005.tar.gz").unlink()
    whole = (root / "raw/004.tar.gz").read_bytes()
    (root / "raw/004.tar.gz").write_bytes(whole[: len(whole) // 2])
    report = check(root, definition())
    assert "004.tar.gz" in the(report, "damaged").kind
    assert the(report, "missing sequences of nm-*").example.startswith("of 004")


def test_videos_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for subject in SUBJECTS:
        for condition in CONDITIONS:
            for view in VIEWS:
                film(raw / f"{subject}-{condition}-{view}.avi", Shot(frames=8))
    assert check(tmp_path, definition()).findings == []
    path = raw / "001-nm-01-000.avi"
    path.write_bytes(path.read_bytes()[:5000])
    (raw / "002-nm-01-000.avi").write_bytes(b"")
    (raw / "003-nm-01-000.avi").write_bytes(b"<html>please log in</html>" * 9)
    film(raw / "004-nm-01-000.avi", Shot(frames=3))
    report = check(tmp_path, definition())
    assert the(report, "cut short").example == "001-nm-01-000.avi"
    assert the(report, "without a byte").example == "002-nm-01-000.avi"
    assert the(report, "another content").example == "003-nm-01-000.avi"
    assert the(report, "fewer than 5 frames").example == "004-nm-01-000.avi"
    assert report.errors == []


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
