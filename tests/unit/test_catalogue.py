"""The catalogue: one table, and shards that stay as they are as far as they can."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind, read_rows, rows_digest, rows_text
from gait.formats.source import File, parse_source
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.catalogue.shards import archive_in_one_go, deal
from gait.prepare.raw import archive_index
from gait.prepare.raw.archives import Contents, contents_of
from gait.types import SequenceKey
from tests.unit.raw_names import CASIA_B, make, make_tar, rearrange_all, tables


def rows_of(subjects: int, videos: int = 2) -> list[CatalogueRow]:
    return [
        CatalogueRow(
            SequenceKey(f"{s:03d}", f"nm-{v:02d}", "090"), RowKind.VIDEO, File("x"), "", "f"
        )
        for s in range(1, subjects + 1)
        for v in range(1, videos + 1)
    ]


def test_writes_the_table_and_every_shard(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, "002-nm-01-090.avi", "001-nm-02-090.avi", "001-nm-01-090.avi", "001-bkgrd-090.avi")
    make(raw, "notes.txt")
    catalogue, shards = tables(tmp_path)
    summary = rearrange_all(raw, CASIA_B, catalogue, shards)
    assert (summary.layout, len(summary.rows)) == ("CasiaBVideos", 3)
    assert summary.ignored == {"other .txt file": 1}
    lines = catalogue.read_bytes().decode().split("\n")
    assert lines[0] == "subject,condition,view,kind,source,background,fingerprint,pose,files"
    assert lines[1].startswith("001,nm-01,090,video,001-nm-01-090.avi,001-bkgrd-090.avi,")
    assert [line[:13] for line in lines[1:]] == [
        "001,nm-01,090",
        "001,nm-02,090",
        "002,nm-01,090",
        "",
    ]
    parts = [read_rows(shard) for shard in shards]
    assert sorted((row for part in parts for row in part), key=lambda row: row.key) == read_rows(
        catalogue
    )
    assert [] in parts
    assert "3 sequences of 2 subjects (CasiaBVideos)" in str(summary)
    assert "not used: other .txt file: 1" in str(summary)


def test_only_the_shard_of_a_replaced_video_changes(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, *(f"{s:03d}-nm-01-{v:03d}.avi" for s in range(1, 10) for v in (0, 90)))
    catalogue, shards = tables(tmp_path)
    rearrange_all(raw, CASIA_B, catalogue, shards)
    before = {path: path.read_bytes() for path in (catalogue, *shards)}

    def changed() -> set[Path]:
        for path in before:
            os.utime(path, ns=(7, 7))
        rearrange_all(raw, CASIA_B, catalogue, shards)
        return {path for path in before if path.stat().st_mtime_ns != 7}

    assert changed() == set()
    make(raw, "more.txt")
    assert changed() == set()
    (raw / "004-nm-01-000.avi").write_bytes(b"another walk")
    (home,) = [path for path in shards if "004,nm-01" in path.read_text()]
    assert changed() == {catalogue, home}


def test_rows_survive_the_table(tmp_path: Path) -> None:
    rows = [
        CatalogueRow(
            SequenceKey("001", "nm", "090"),
            RowKind.VIDEO,
            parse_source('day 1, "b"/x\ny.avi'),
            "é.avi",
            "0",
        ),
        CatalogueRow(SequenceKey("NA", "null", "00"), RowKind.IMAGES, File("a"), "", "1e5"),
    ]
    (tmp_path / "t.csv").write_text(rows_text(rows), encoding="utf-8", newline="")
    assert read_rows(tmp_path / "t.csv") == rows
    assert rows_digest(rows) == rows_digest(list(rows)) != rows_digest(rows[:1])


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "subject,condition\n"])
def test_foreign_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"t\.csv: expected the columns subject,condition,view"):
        read_rows(path)


def test_short_row_missing_and_binary_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(rows_text([]) + "001,nm\n")
    with pytest.raises(DataError, match="expected 9 columns, got 2"):
        read_rows(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected a table in UTF-8"):
        read_rows(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path / "none.csv")


@pytest.mark.parametrize(("subjects", "shards"), [(124, 8), (32, 4), (10, 8), (3, 8), (1, 1)])
def test_dealing_is_whole_even_and_steady(subjects: int, shards: int) -> None:
    rows = rows_of(subjects)
    dealt = deal(rows, shards)
    assert sorted(row for part in dealt for row in map(str, part)) == sorted(map(str, rows))
    numbers = [len({row.key.subject for row in part}) for part in dealt]
    assert sum(numbers) == subjects
    assert max(numbers) == -(-subjects // shards)
    assert deal(rows, shards) == dealt
    more = deal(rows_of(subjects, videos=3), shards)
    for before, after in zip(dealt, more, strict=True):
        assert {row.key.subject for row in before} == {row.key.subject for row in after}


def test_a_new_subject_moves_few_others() -> None:
    def changed(now: list[CatalogueRow]) -> int:
        return sum(a != b for a, b in zip(deal(rows_of(124), 8), deal(now, 8), strict=True))

    assert changed(rows_of(125)) == 1
    without = [
        [row for row in rows_of(124) if row.key.subject != f"{gone:03d}"]
        for gone in range(1, 125, 6)
    ]
    # Dealing in turn would change all those after the subject's own: 7.6 of 8 shards on average.
    assert sum(map(changed, without)) / len(without) < 4


@pytest.mark.parametrize(
    ("source", "archive"),
    [
        ("a/1.7z::x", "a/1.7z"),
        ("a/1.tgz::2.tgz::x", "a/1.tgz"),
        ("a/1.TAR.GZ::x", "a/1.TAR.GZ"),
        ("a/1.zip::x", ""),
        ("a/1.tar::x", ""),
        ("1.tar::b/2.tar::x", ""),
        ("1.tar::2.tar::3.zip::x", "1.tar::2.tar::3.zip"),
        ("1.zip::2.tgz::3.tgz::x", "1.zip::2.tgz"),
        ("1.zip::2.tar::x", "1.zip::2.tar"),
        ("1.zip::2.zip::x", "1.zip::2.zip"),
    ],
)
def test_archives_that_are_unpacked_in_one_go(source: str, archive: str) -> None:
    row = CatalogueRow(SequenceKey("1", "2", "3"), RowKind.IMAGES, parse_source(source), "", "")
    assert archive_in_one_go(row) == archive
    assert archive_in_one_go(replace(row, source=File("a/x"))) == ""


def archived(
    archives: Mapping[str, Iterable[int]], folder: Iterable[int] = ()
) -> list[CatalogueRow]:
    """Rows of subjects in archives, and of some on disk."""
    rows = [
        CatalogueRow(
            SequenceKey(f"{who:03d}", "nm", name[:3]),
            RowKind.IMAGES,
            parse_source(f"{name}::{who}"),
            "",
            "",
        )
        for name, subjects in archives.items()
        for who in subjects
    ]
    on_disk = [
        CatalogueRow(
            SequenceKey(f"{who:03d}", "nm", "disk"), RowKind.IMAGES, parse_source(f"{who}"), "", ""
        )
        for who in folder
    ]
    return sorted(rows + on_disk, key=lambda row: row.key)


def places(part: Iterable[CatalogueRow]) -> set[str]:
    return {str(row.source).partition("::")[0] for row in part if "::" in str(row.source)}


def test_an_archive_of_an_archive_is_dealt_by_that() -> None:
    halves = archived({"train.zip::train.tgz": range(9), "test.zip::test.tgz": range(5)})
    assert [places(part) for part in deal(halves, 2)] == [{"train.zip"}, {"test.zip"}]


def test_archives_that_are_unpacked_in_one_go_are_dealt_whole() -> None:
    sizes = {f"{view:03d}.7z": range(20 + view) for view in range(9)}
    rows = archived(sizes, folder=range(50))
    dealt = deal(rows, 4)
    assert sorted(map(str, itertools.chain(*dealt))) == sorted(map(str, rows))
    assert sum(len(places(part)) for part in dealt) == len(sizes)
    numbers = [sum("::" in str(row.source) for row in part) for part in dealt]
    assert max(numbers) - min(numbers) <= 28
    assert all(part == sorted(part, key=lambda row: row.key) for part in dealt)
    assert deal(reversed(rows), 4) == dealt
    # What lies on disk is dealt as always.
    assert max(sum("::" not in str(row.source) for row in part) for part in dealt) == 13
    # In order of size, the largest beside the smallest.
    assert places(deal(archived({"a.7z": [1, 2, 3], "b.7z": [1], "c.7z": [2, 3]}), 2)[0]) == {
        "a.7z"
    }


def test_archives_that_would_not_do_for_all_shards_or_hold_one_subject_are_not() -> None:
    few = archived({"1.7z": range(40), "2.7z": range(40)})
    subjects = [{row.key.subject for row in part} for part in deal(few, 3)]
    assert sum(map(len, subjects)) == 40
    assert [places(part) for part in deal(few, 2)] == [{"1.7z"}, {"2.7z"}]
    alone = archived({f"{who:03d}.tgz": [who] for who in range(30)})
    more = archived({f"{who:03d}.tgz": [who] for who in range(31)})
    assert sum(a != b for a, b in zip(deal(alone, 8), deal(more, 8), strict=True)) == 1


def test_unchanged_archives_are_not_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    make_tar(raw / "001.tar.gz", "001/nm-01/090/001.png", "001/nm-02/090/001.png")
    make_tar(raw / "002.tar.gz", "002/nm-01/090/001.png")
    catalogue, shards = tables(tmp_path)
    rearrange_all(raw, CASIA_B, catalogue, shards)
    opened: list[str] = []

    def noted(path: Path, patterns: Collection[str]) -> Contents:
        opened.append(path.name)
        return contents_of(path, patterns)

    monkeypatch.setattr(archive_index, "contents_of", noted)
    assert scan(raw, RawForm(CASIA_B), catalogue.parent).rows == read_rows(catalogue)
    assert opened == []
    make_tar(raw / "002.tar.gz", "002/nm-01/090/001.png", "002/nm-02/090/001.png")
    rows = scan(raw, RawForm(CASIA_B), catalogue.parent).rows
    assert opened == ["002.tar.gz"]
    assert rows == scan(raw, RawForm(CASIA_B)).rows
    for journal in (tmp_path / "journal/archives").iterdir():
        journal.write_text("torn")
    opened.clear()
    for _ in range(2):
        assert scan(raw, RawForm(CASIA_B), catalogue.parent).rows == rows
    assert sorted(opened) == ["001.tar.gz", "002.tar.gz"]
    assert scan(raw, RawForm(CASIA_B), (tmp_path / "none.csv").parent).rows == rows


def test_what_each_start_of_the_workflow_imports_is_light() -> None:
    code = (
        "import sys, gait.prepare.catalogue.scan, gait.synthgait.raw_state\n"
        "print(sorted({'torch', 'cv2', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
