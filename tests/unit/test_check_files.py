"""Files that are amiss are found by the check: their contents, names, places and archives."""

from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.prepare.check import check
from gait.prepare.check.findings import Severity
from tests.unit.checked import (
    CONDITIONS,
    FRAMES,
    SUBJECTS,
    VIEWS,
    definition,
    lay_silhouettes,
    png,
    the,
)
from tests.unit.clips import Shot, film


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_silhouettes(tmp_path)


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
