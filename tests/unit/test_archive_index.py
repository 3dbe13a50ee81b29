"""The listing of an archive: what it remembers, and when it is made anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gait.errors import DataError
from gait.prepare.raw.archive_index import ArchiveIndex
from tests.raw_archives import tar
from tests.raw_trees import lay


def test_a_listing_knows_numbers_and_no_names(tmp_path: Path) -> None:
    def listed(number: int) -> int:
        tree = {f"a/x/{each:06d}.png": b"x" for each in range(number)}
        tree |= {f"a/x/{each:06d}_2d_pose.txt": b"x" for each in range(number)}
        lay(tmp_path / "raw", {"1.tar": tar(tree)})
        contents = ArchiveIndex(tmp_path / "raw", tmp_path, {"*_2d_pose.txt"}).of("1.tar")
        assert contents.folders == {"a/x": {".png": number, ".txt": number}}
        assert contents.matches == {"a/x": {"*_2d_pose.txt": [0, number]}}
        (journal,) = (tmp_path / "journal/archives").iterdir()
        again = ArchiveIndex(tmp_path / "raw", tmp_path, {"*_2d_pose.txt"}).of("1.tar")
        assert again == contents
        return journal.stat().st_size

    assert listed(1000) == listed(2000)
    # Another pattern is counted as well, and what was known stays.
    assert ArchiveIndex(tmp_path / "raw", tmp_path, {"*.txt"}).of("1.tar").matches["a/x"] == {
        "*.txt": [0, 2000],
        "*_2d_pose.txt": [0, 2000],
    }


@pytest.mark.parametrize(
    "spoilt",
    [
        {"folders": 5},
        {"folders": {"a/x": [".png"]}},
        {"folders": {"a/x": {".png": "3"}}},
        {"folders": {"a/x": {".png": -3}}},
        {"matches": {"a/x": {"*.txt": [1]}}},
        {"matches": {"a/x": {"*.txt": [1, None]}}},
        {"patterns": [5]},
        {"problems": []},
        {"unfinished": {"a": 1}},
        {"ignored": {"system file": []}},
    ],
    ids=str,
)
def test_a_spoilt_listing_is_made_anew(tmp_path: Path, spoilt: dict[str, object]) -> None:
    lay(tmp_path / "raw", {"1.tar": tar({"a/x/1.png": b"x", "a/x/1.txt": b"x"})})
    contents = ArchiveIndex(tmp_path / "raw", tmp_path, {"*.txt"}).of("1.tar")
    (journal,) = (tmp_path / "journal/archives").iterdir()
    sound = journal.read_text()
    for text in (json.dumps(json.loads(sound) | spoilt), "[" * 10**5, "[]", sound[:-1]):
        journal.write_text(text)
        assert ArchiveIndex(tmp_path / "raw", tmp_path, {"*.txt"}).of("1.tar") == contents
        assert journal.read_text() == sound


def test_a_listing_is_of_an_archive_below_the_raw_folder(tmp_path: Path) -> None:
    lay(tmp_path / "raw", {"2.tar": b""})
    (tmp_path / "1.tar").write_bytes(tar({"a/x/1.png": b"x"}))
    (tmp_path / "raw/link.tar").symlink_to(tmp_path / "1.tar")
    for archive in ("../1.tar", str(tmp_path / "1.tar"), "link.tar"):
        with pytest.raises(DataError, match="stays below"):
            ArchiveIndex(tmp_path / "raw", tmp_path).of(archive)
