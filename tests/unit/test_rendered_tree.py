"""Altered, added and missing files of a rendered tree are noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gait.errors import DataError
from gait.synthgait.raw_state import altered_files
from tests.unit.raw_names import make


def render(raw: Path) -> None:
    make(raw, "001-nm-01-090.avi", "001-bkgrd-090.avi", "002-nm-01-090.avi")
    listed = "".join(f"{path.name},{path.stat().st_size}\n" for path in sorted(raw.iterdir()))
    (raw / "population.csv").write_text("file,size_bytes\n" + listed)


def test_altered_files_of_a_rendered_tree(tmp_path: Path) -> None:
    render(tmp_path)
    assert altered_files(tmp_path) == set()
    make(tmp_path, ".DS_Store", "notes.txt")
    assert altered_files(tmp_path) == set()
    (tmp_path / "001-nm-01-090.avi").write_bytes(b"another size")
    os.utime(tmp_path / "001-nm-01-090.avi", ns=(7, 7))
    assert altered_files(tmp_path) == {"001-nm-01-090.avi"}
    newer = (tmp_path / "population.csv").stat().st_mtime_ns + 1
    os.utime(tmp_path / "002-nm-01-090.avi", ns=(newer, newer))
    (tmp_path / "001-bkgrd-090.avi").unlink()
    make(tmp_path, "more/003-nm-01-090.avi")
    assert altered_files(tmp_path) == {
        "001-nm-01-090.avi",
        "001-bkgrd-090.avi",
        "002-nm-01-090.avi",
        "more/003-nm-01-090.avi",
    }


def test_a_replaced_or_added_pose_counts_as_altered(tmp_path: Path) -> None:
    render(tmp_path)
    make(tmp_path, "001-nm-01-090.pose.npz")
    assert altered_files(tmp_path) == {"001-nm-01-090.pose.npz"}


@pytest.mark.parametrize("content", [None, "name,bytes\nx,1\n"])
def test_foreign_population_list(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "population.csv").write_text(content)
    with pytest.raises(DataError, match=r"population\.csv: expected the list of rendered videos"):
        altered_files(tmp_path)
