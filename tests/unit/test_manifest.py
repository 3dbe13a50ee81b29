"""The manifests' text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gait.errors import DataError
from gait.formats.manifest import (
    ManifestRow,
    format_drops,
    manifest_text,
    parse_drops,
    pkl_name,
    pkl_path,
    read_manifest,
    told,
)
from gait.types import SequenceKey

ROWS = [
    ManifestRow(
        SequenceKey("010", "nm-01", "090"),
        "pkl/010/nm-01/090/090.pkl",
        frames_read=9,
        frames_kept=5,
        dropped={"too few pixels": 1, "no walker": 3},
        fingerprint="00ff",
        sha256="ab",
        guessed={"walker of several people": 2},
    ),
    ManifestRow(SequenceKey("002", 'a "b", c', "é"), "", 0, 0),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(manifest_text(ROWS), encoding="utf-8")
    assert read_manifest(path) == [ROWS[1], ROWS[0]]
    lines = path.read_bytes().decode().split("\n")
    assert lines[2] == (
        "010,nm-01,090,silhouettes,pkl/010/nm-01/090/090.pkl,9,5,"
        "no walker:3;too few pixels:1,walker of several people:2,00ff,ab"
    )


def test_rows_come_by_key_and_modality(tmp_path: Path) -> None:
    rows = [ROWS[0], replace(ROWS[0], modality="pose"), replace(ROWS[0], modality="skeleton_maps")]
    path = tmp_path / "a.csv"
    path.write_text(manifest_text(reversed(rows)), encoding="utf-8")
    assert [row.modality for row in read_manifest(path)] == [
        "pose",
        "silhouettes",
        "skeleton_maps",
    ]


def test_a_manifest_of_a_former_version_lists_silhouettes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = manifest_text(ROWS).replace("modality,", "").replace("silhouettes,", "")
    path.write_text(text, encoding="utf-8")
    assert read_manifest(path) == [ROWS[1], ROWS[0]]


def test_reasons_survive_as_text() -> None:
    dropped = {"values 0/1 instead of 0/255": 2, "error: odd": 1, "none of these": 0}
    text = format_drops(dropped)
    assert text == "error: odd:1;values 0/1 instead of 0/255:2"
    assert parse_drops(text) == {name: count for name, count in dropped.items() if count}
    assert parse_drops(format_drops({})) == {}
    assert told(dropped | {"no walker": 1200}).startswith("1,200 no walker, 2 values")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("subject,condition,view,pkl\n", "frames_read.* is missing"),
        (manifest_text(ROWS).replace(",9,5,", ",nine,5,"), "line 3: .*nine"),
        (manifest_text(ROWS).replace("no walker:3", "no walker"), "line 3: .*'no walker'"),
        (manifest_text(ROWS).replace("silhouettes", "silhouetes"), "line 2: .*'silhouettes'"),
        (manifest_text(ROWS).replace(",00ff,ab", ""), "line 3: expected 11 columns"),
    ],
)
def test_a_damaged_manifest_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"a.csv.*{complaint}"):
        read_manifest(path)


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a.csv: cannot be read \(No such file"):
        read_manifest(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a.pkl", "pkl/../../a.pkl", "a.pkl", "pkl", "pkl/\0"]
)
def test_paths_stay_below_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"a\.csv: .*expected a path that stays below"):
        pkl_path(tmp_path, name, tmp_path / "a.csv")
    assert pkl_path(tmp_path, "pkl/a.pkl", tmp_path / "a.csv") == tmp_path / "pkl" / "a.pkl"


def test_a_pkl_tree_may_be_a_link_but_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/tree/001").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/pkl").symlink_to("../elsewhere/tree")
    (tmp_path / "elsewhere/tree/out").symlink_to("..")
    table = tmp_path / "a.csv"
    assert pkl_path(tmp_path / "root", "pkl/001/a.pkl", table).parent.is_dir()
    with pytest.raises(DataError, match="stays below"):
        pkl_path(tmp_path / "root", "pkl/out/a.pkl", table)


@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "a\\b", "a" * 181, "走" * 61])
def test_a_key_is_no_path(part: str) -> None:
    with pytest.raises(DataError, match="cannot be the name of a folder"):
        pkl_name(SequenceKey("001", part, "090"))
    key = SequenceKey("1", "n", "0.5")
    assert pkl_name(key) == "pkl/1/n/0.5/0.5.pkl"
    assert pkl_name(key, "skeleton_maps") == "pkl/1/n/0.5/0.5-skeleton_maps.pkl"
