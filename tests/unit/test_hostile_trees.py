"""Odd names, links and kinds of files in a raw tree cost themselves only, and are counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gait.config.dataset import Dataset
from gait.config.load import load_dataset
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind, read_rows, rows_text
from gait.formats.source import File, parse_source
from gait.prepare.catalogue.materialise import materialise
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.check import check
from gait.prepare.raw.files import image_files, unfit_name, walk
from gait.prepare.raw.unused import Unused
from gait.prepare.sequences.import_tree import manifest_of_tree
from gait.types import SequenceKey
from tests.raw_archives import zipped
from tests.raw_trees import encoded, figure, lay

KEY = SequenceKey("001", "nm-01", "090")


def folder(root: Path) -> Path:
    """A raw folder with a sequence of CASIA-B of four frames."""
    lay(root / "raw", {f"001/nm-01/090/{n}.png": encoded(figure(1, n)) for n in range(4)})
    return root / "raw" / "001/nm-01/090"


def casia_b() -> Dataset:
    return load_dataset(Path(), "CASIA-B")[0]


@pytest.mark.parametrize("sign", ["\r", "\n", "\x1b", "\0", "\x7f", "\x85", "\u2028"])
def test_names_with_control_characters_are_unfit(sign: str) -> None:
    assert "control character" in unfit_name(f"a{sign}b")


@pytest.mark.parametrize("name", ["a b", "é", "人", "a\u3000b", "\U0001f3c3", "-rf", "=1+1"])
def test_other_names_are_fit(name: str) -> None:
    assert unfit_name(name) == ""


def test_odd_entries_are_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    home = folder(tmp_path)
    (home / "4.png").symlink_to("nowhere.png")
    (home / "5.png").symlink_to("5.png")
    (home / "6\r.png").write_bytes(b"x")
    (home / os.fsdecode(b"7\xff.png")).write_bytes(b"x")
    os.mkfifo(home / "8.png")
    (home / "loop").symlink_to("..")
    (home / "lost+found").mkdir()
    (home / ("9" * 251 + ".png")).write_bytes(encoded(figure(1, 9)))
    unused = Unused()
    files = [file.name for each in walk(tmp_path / "raw", unused) for file in each.files]
    assert files == [*(f"{n}.png" for n in range(4)), "9" * 251 + ".png"]
    assert unused.counts() == {
        "link to nothing": 2,
        "name with a control character, such as a line break": 1,
        "name that is not UTF-8": 1,
        "neither file nor folder": 1,
        "link back to a folder above it": 1,
        "system file": 1,
    }
    assert [each.name for each in image_files(tmp_path / "raw", home)] == files
    # The check sees what the stages see.
    report = check(tmp_path, casia_b())
    assert not report.errors
    assert "sequences without a frame" not in str(report)
    (row,) = scan(tmp_path / "raw", RawForm(["casia_b_silhouettes"])).rows
    (tmp_path / "t.csv").write_text(rows_text([row]), encoding="utf-8", newline="")
    assert read_rows(tmp_path / "t.csv") == [row]


def test_links_to_folders_of_links_do_not_multiply_without_end(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for level in range(40):
        (raw / f"{level}").mkdir(parents=True)
        for name in "ab":
            (raw / f"{level}" / name).symlink_to(f"../{level + 1}")
    (raw / "40").mkdir()
    unused = Unused()
    assert sum(1 for _ in walk(raw, unused)) < 2000
    assert unused.counts()["link behind a link to a folder that many lead to"]


def test_a_zip_file_with_a_name_that_is_no_text_is_used_nevertheless(tmp_path: Path) -> None:
    images = {f"001/nm-01/090/{n}é.png": encoded(figure(1, n)) for n in range(4)}
    data = zipped({**images, "001/nm-01/090/x.png": encoded(figure(1, 4))})
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/GaitDatasetB-silh.zip").write_bytes(data.replace("0é".encode(), b"0\xff\xfe"))
    report = check(tmp_path, casia_b())
    assert "1 of 13,640 sequences" in report.title
    assert "not used: name that is not UTF-8: 1" in str(report)


def test_images_of_a_format_that_is_not_read_are_the_likely_cause(tmp_path: Path) -> None:
    folder(tmp_path)
    lay(tmp_path / "raw", {f"002/nm-01/090/{n}.tif": b"II*" for n in range(4)})
    (line,) = [each for each in str(check(tmp_path, casia_b())).splitlines() if ".tif" in each]
    assert line.startswith("warning: not used: other .tif file: 4; they look like images")
    assert "convert them to png" in line and "what is missing is likely in them" in line
    lay(tmp_path / "other/raw", {f"002/nm-01/090/{n}.tif": b"II*" for n in range(4)})
    with pytest.raises(DataError, match=r"look like images of a format that is not read \(.tif\)"):
        scan(tmp_path / "other/raw", RawForm(["casia_b_silhouettes"]))


def test_an_archive_beside_unpacked_folders_may_hold_what_is_missing(tmp_path: Path) -> None:
    folder(tmp_path)
    lay(tmp_path / "raw", {"more.zip": zipped({"001/nm-01/090/0.png": b""})})
    (line,) = [each for each in str(check(tmp_path, casia_b())).splitlines() if ".zip" in each]
    assert line.startswith("warning: not used: other .zip file: 1; ")
    assert "unpack them if they hold what is missing" in line


def test_no_table_makes_a_folder_elsewhere(tmp_path: Path) -> None:
    folder(tmp_path)
    for key in (SequenceKey("..", "..", "x"), SequenceKey("/tmp", "a", "b")):
        row = CatalogueRow(key, RowKind.IMAGES, File("001/nm-01/090"), "", "0")
        (tmp_path / "t.csv").write_text(rows_text([row]), encoding="utf-8")
        with pytest.raises(DataError, match="cannot be the name of a folder"):
            materialise(tmp_path / "t.csv", tmp_path / "raw", tmp_path / "tree", "copy")


def test_nothing_is_written_through_a_link_into_the_raw_folder(tmp_path: Path) -> None:
    home = folder(tmp_path)
    catalogue, raw, tree = tmp_path / "t.csv", tmp_path / "raw", tmp_path / "tree"
    row = CatalogueRow(KEY, RowKind.IMAGES, File("001/nm-01/090"), "", "0")
    catalogue.write_text(rows_text([row]), encoding="utf-8")
    materialise(catalogue, raw, tree, "symlink")
    (raw / "1.zip").write_bytes(zipped({"b/9.png": b"9"}))
    row = CatalogueRow(KEY, RowKind.IMAGES, parse_source("1.zip::b"), "", "0")
    catalogue.write_text(rows_text([row]), encoding="utf-8")
    with pytest.raises(DataError, match="expected a path that stays below"):
        materialise(catalogue, raw, tree, "copy")
    assert not (home / "9.png").exists()


def test_a_pkl_tree_with_names_that_no_table_can_hold(tmp_path: Path) -> None:
    (tmp_path / "pkl/00\r1/nm/090").mkdir(parents=True)
    with pytest.raises(DataError, match="found no pkl there"):
        manifest_of_tree(tmp_path)
