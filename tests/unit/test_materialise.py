"""Catalogued sequences are laid out as a tree of links or copies, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from gait.errors import DataError
from gait.files import confined
from gait.prepare.catalogue.materialise import materialise
from tests.unit.raw_names import CASIA_B, make, make_tar, rearrange_all, tables


def test_confined_paths(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, "a/1.avi")
    make(tmp_path, "out/1.avi")
    (raw / "link").symlink_to("../out")
    assert confined(raw, "a/1.avi") == raw / "a/1.avi"
    assert confined(raw, "not/there") == raw / "not/there"
    for bad in ("../out/1.avi", "/etc/passwd", "a/../../out/1.avi", "link/1.avi", "", "."):
        with pytest.raises(DataError, match="expected a path that stays below"):
            confined(raw, bad)


def catalogued(tmp_path: Path, layouts: list[str]) -> tuple[Path, Path]:
    catalogue, shards = tables(tmp_path)
    rearrange_all(tmp_path / "raw", layouts, catalogue, shards)
    return catalogue, tmp_path / "raw"


@pytest.mark.parametrize("how", ["symlink", "copy"])
def test_materialise_videos(tmp_path: Path, how: str) -> None:
    make(tmp_path / "raw", "d/001-nm-01-090.avi", "002-cl-01-018.avi")
    catalogue, raw = catalogued(tmp_path, CASIA_B)
    for _ in range(2):
        assert materialise(catalogue, raw, tmp_path / "tree", how) == 2  # type: ignore[arg-type]
    video = tmp_path / "tree/001/nm-01/090/001-nm-01-090.avi"
    assert video.read_bytes() == b"d/001-nm-01-090.avi"
    assert video.is_symlink() == (how == "symlink")
    (tmp_path / "moved").mkdir()
    for name in ("raw", "tree"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    moved = tmp_path / "moved/tree/002/cl-01/018/002-cl-01-018.avi"
    assert moved.read_bytes() == b"002-cl-01-018.avi"


@pytest.mark.parametrize("how", ["symlink", "copy"])
def test_materialise_images_and_archives(tmp_path: Path, how: str) -> None:
    make(tmp_path / "raw", "x/001/nm-01/090/1.png", "x/001/nm-01/090/notes.txt")
    make_tar(tmp_path / "raw" / "002.tar.gz", "002/nm-01/090/1.png", "002/nm-01/090/notes.txt")
    catalogue, raw = catalogued(tmp_path, CASIA_B)
    for _ in range(2):
        assert materialise(catalogue, raw, tmp_path / "tree", how) == 2  # type: ignore[arg-type]
    folder = tmp_path / "tree/001/nm-01/090"
    assert (folder / "1.png").read_bytes() == b"x/001/nm-01/090/1.png"
    assert folder.is_symlink() == (how == "symlink")
    assert [each.name for each in (tmp_path / "tree/002/nm-01/090").iterdir()] == ["1.png"]


def test_materialise_refuses_to_overwrite_or_to_write_to_raw(tmp_path: Path) -> None:
    make(tmp_path / "raw", "001-nm-01-090.avi")
    catalogue, raw = catalogued(tmp_path, CASIA_B)
    with pytest.raises(DataError, match="which is only read"):
        materialise(catalogue, raw, raw / "tree", "symlink")
    make(tmp_path / "tree", "001/nm-01/090/001-nm-01-090.avi")
    with pytest.raises(DataError, match=r"expected a link to .*; remove it"):
        materialise(catalogue, raw, tmp_path / "tree", "symlink")
    (raw / "001-nm-01-090.avi").unlink()
    with pytest.raises(DataError, match="not on disk; run gait rearrange"):
        materialise(catalogue, raw, tmp_path / "other", "copy")
