"""Archives of every kind give their frames in one pass, and their damage is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import py7zr
import pytest

from gait.errors import DataError
from gait.formats.source import parse_source
from gait.prepare.raw.archives import (
    contents_of,
    read_archive,
)
from gait.prepare.raw.archives.spool import Spool
from tests.raw_archives import PASSWORD, seven, tar, zipped
from tests.raw_trees import Tree
from tests.unit.archives import MAKERS, TREE, images, images_of, read, whole


@pytest.mark.parametrize("name", MAKERS)
def test_every_kind_is_listed_and_read(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library would not write such names.
    monkeypatch.setattr("py7zr.py7zr.check_archive_path", lambda name: True)
    hostile: Tree = {
        "../out/1.png": b"x",
        "a/../../1.png": b"x",
        "a/b::c/1.png": b"x",
        "a/x/notes.txt": b"x",
        "a/x/.DS_Store": b"x",
        "a/x/inner.rar": b"Rar!",
    }
    if name != "1.7z":
        hostile["/etc/1.png"] = b"x"
    (tmp_path / name).write_bytes(MAKERS[name](TREE | hostile))
    contents = contents_of(tmp_path / name)
    assert images_of(contents) == {"a/x": 4, "a/y": 4, "a/z": 4}
    assert (contents.problems, contents.unfinished) == ({}, set())
    assert contents.ignored == {
        "archive inside an archive (.rar)": 1,
        "other archive member": 1,
        "archive member with a path that leads out of it": len(hostile) - 3,
        "system file": 1,
    }
    assert read(tmp_path / name, {"a/z", "a/x"}) == whole(TREE, "a/x", "a/z")
    assert read(tmp_path / name, set()) == {}


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_left_half_read_is_let_go(tmp_path: Path, name: str) -> None:
    many = {f"a/x/{number:04d}.png": b"x" * 1000 for number in range(300)}
    (tmp_path / name).write_bytes(MAKERS[name](many))
    members = read_archive(tmp_path / name, images({"a/x"}))
    assert next(members).read() == (b"x" * 1000, "")
    members.close()  # type: ignore[attr-defined]
    assert threading.active_count() == 1


@pytest.mark.parametrize("name", MAKERS)
def test_oversized_and_empty_frames(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIT_MAX_IMAGE_BYTES", "1000")
    tree = {"a/1.png": b"x" * 1001, "a/2.png": b"", "a/3.png": b"x" * 1000}
    (tmp_path / name).write_bytes(MAKERS[name](tree))
    assert read(tmp_path / name, {"a"}) == {
        "a/1.png": (b"", "too large"),
        "a/2.png": (b"", ""),
        "a/3.png": (b"x" * 1000, ""),
    }


def nested() -> bytes:
    """A zip file of a tgz file of a tgz file, and of a tar file."""
    inner = {"b/c.tgz": tar(TREE, compressed=True), "b/0.png": b"0"}
    return zipped({"outer.tgz": tar(inner, compressed=True), "1.tar": tar(TREE)})


def test_archives_in_archives(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(nested())
    contents = contents_of(path)
    assert images_of(contents) == {
        "outer.tgz::b": 1,
        **{f"outer.tgz::b/c.tgz::a/{folder}": 4 for folder in "xyz"},
        **{f"1.tar::a/{folder}": 4 for folder in "xyz"},
    }
    assert not contents.ignored and not contents.problems
    wanted = {"outer.tgz::b/c.tgz::a/y", "1.tar::a/x"}
    assert read(path, wanted) == {
        **{f"outer.tgz::b/c.tgz::{name}": each for name, each in whole(TREE, "a/y").items()},
        **{f"1.tar::{name}": each for name, each in whole(TREE, "a/x").items()},
    }
    assert parse_source("d/all.zip::outer.tgz::b/c.tgz::a/y").unpacked == "d/b/a/y"
    assert parse_source("a/y").unpacked == "a/y"


@pytest.mark.parametrize("inner", MAKERS)
@pytest.mark.parametrize("outer", MAKERS)
def test_any_archive_in_any_other(tmp_path: Path, outer: str, inner: str) -> None:
    path = tmp_path / outer
    tree = {"b/0.png": b"0", f"b/{inner}": MAKERS[inner](TREE), "c/9.png": b"9" * 500}
    path.write_bytes(MAKERS[outer](tree | {f"c/{inner}": MAKERS[inner]({"d/1.png": b"1"})}))
    contents = contents_of(path)
    assert images_of(contents) == {
        "b": 1,
        "c": 1,
        **{f"b/{inner}::a/{folder}": 4 for folder in "xyz"},
        f"c/{inner}::d": 1,
    }
    assert not contents.ignored and not contents.problems
    assert read(path, {"c", f"b/{inner}::a/y", f"c/{inner}::d"}) == {
        "c/9.png": (b"9" * 500, ""),
        **{f"b/{inner}::{name}": each for name, each in whole(TREE, "a/y").items()},
        f"c/{inner}::d/1.png": (b"1", ""),
    }
    assert read(path, {f"c/{inner}::d"}) == {f"c/{inner}::d/1.png": (b"1", "")}


@pytest.mark.parametrize("outer", MAKERS)
@pytest.mark.parametrize("inner", ["1.zip", "1.7z"])
def test_an_archive_inside_is_laid_to_no_named_file(
    tmp_path: Path, outer: str, inner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    path = tmp_path / outer
    tree = {f"{number}/{inner}": MAKERS[inner](TREE) for number in range(4)}
    path.write_bytes(MAKERS[outer](tree))
    members = read_archive(path, images(f"{number}/{inner}::a/x" for number in range(4)))
    next(members)
    # The reader of 7z files makes a folder, and may just be removing it.
    assert not [each for each in (tmp_path / "temporary").iterdir() if each.is_file()]
    members.close()  # type: ignore[attr-defined]
    assert not list((tmp_path / "temporary").iterdir())
    assert threading.active_count() == 1


@pytest.mark.parametrize("outer", MAKERS)
def test_no_room_for_an_archive_inside_is_one_sentence(
    tmp_path: Path, outer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / outer
    path.write_bytes(MAKERS[outer]({"b/1.zip": zipped(TREE)}))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(DataError, match=r"b/1\.zip: expected room .* set TMPDIR to a folder"):
        contents_of(path)
    assert threading.active_count() == 1


def test_a_full_disk_is_no_damage() -> None:
    with Spool("1.zip::2.zip", 10) as spool:
        spool.write(b"0123456789")
        with pytest.raises(OSError, match="larger than the archive around it tells"):
            spool.write(b"x")
    with Path("/dev/full").open("wb") as device, Spool("1.zip::2.zip", 10) as spool:
        os.dup2(device.fileno(), spool.fileno())
        with pytest.raises(DataError, match=r"2\.zip: .*No space left on device; set TMPDIR"):
            spool.write(b"x")


def test_an_archive_without_end_is_not_followed(tmp_path: Path) -> None:
    data = tar(TREE)
    for _ in range(6):
        data = tar({"more.tar": data, "1.png": b"1"})
    (tmp_path / "1.tar").write_bytes(data)
    contents = contents_of(tmp_path / "1.tar")
    assert len(contents.folders) == 4
    assert contents.ignored == {"archive inside an archive (.tar)": 1}


def test_only_the_inner_archive_is_damaged(tmp_path: Path) -> None:
    inner = tar(TREE)
    path = tmp_path / "1.zip"
    path.write_bytes(zipped({"1.tar": inner[:6000], "2.tar": inner, "3.tgz": b"junk"}))
    contents = contents_of(path)
    assert contents.problems.keys() == {"1.tar", "3.tgz"}
    assert contents.problems["1.tar"] == "unexpected end of data"
    assert contents.unfinished == {"1.tar::a/y"}
    assert [images_of(contents)[f"2.tar::a/{folder}"] for folder in "xyz"] == [4, 4, 4]


def test_an_inner_archive_that_the_outer_one_has_damaged(tmp_path: Path) -> None:
    blob = {f"a/{number}.png": bytes(range(256)) * 40 for number in range(8)}
    data = bytearray(zipped({"1.tar": tar(blob), "2.tar": tar(TREE)}))
    data[200] ^= 0xFF
    (tmp_path / "1.zip").write_bytes(data)
    contents = contents_of(tmp_path / "1.zip")
    assert contents.problems.keys() == {"1.tar"}
    assert contents.folders["2.tar::a/z"] == {".png": 4}


@pytest.mark.parametrize("outer", MAKERS)
@pytest.mark.parametrize("inner", ["1.zip", "1.7z"])
def test_an_inner_archive_that_is_cut(tmp_path: Path, outer: str, inner: str) -> None:
    path = tmp_path / outer
    data = MAKERS[inner](TREE)
    tree = {f"a/{inner}": data[: len(data) // 2], f"b/{inner}": data}
    path.write_bytes(MAKERS[outer](tree))
    contents = contents_of(path)
    assert contents.problems.keys() == {f"a/{inner}"}
    assert images_of(contents) == {f"b/{inner}::a/{folder}": 4 for folder in "xyz"}
    assert len(read(path, {f"b/{inner}::a/x"})) == 4


def test_damage_in_a_7z_file_costs_the_archives_behind_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    tree = {f"{name}.tar": tar({"a/1.png": noise.bytes(3000)}) for name in "xyz"}
    data = bytearray(seven(tree))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "1.7z").write_bytes(data)
    contents = contents_of(tmp_path / "1.7z")
    assert contents.folders["x.tar::a"] == {".png": 1}
    assert contents.problems["z.tar"] == "the archive around it is damaged before its end"


@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_broken_7z_file_is_told(tmp_path: Path, kept: float) -> None:
    data = seven(TREE)
    (tmp_path / "1.7z").write_bytes(data[: int(kept * len(data))])
    contents = contents_of(tmp_path / "1.7z")
    assert contents.problems.keys() == {""} and not contents.folders


def test_damage_within_a_7z_file_costs_what_is_behind_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    tree = {f"a/{folder}/{number}.png": noise.bytes(3000) for folder in "xyz" for number in "01"}
    data = bytearray(seven(tree))
    data[9000] ^= 0xFF
    (tmp_path / "1.7z").write_bytes(data)
    found = read(tmp_path / "1.7z", {"a/x", "a/y", "a/z"})
    problems = [problem for _, problem in found.values()]
    assert problems[:2] == ["", ""] and problems[-1] == "damaged in the archive"
    assert all(data == tree[name] for name, (data, problem) in found.items() if not problem)


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_7z_file_of_several_blocks_with_empty_files_between(
    tmp_path: Path, password: str
) -> None:
    path = tmp_path / "1.7z"
    path.write_bytes(seven(TREE | {"a/x/empty.png": b""}, password))
    (tmp_path / "password.txt").write_text(PASSWORD)
    more = {"a/x/4.png": b"4" * 500, "a/x/none.png": b"", "a/w/1.png": b"1" * 70_000}
    with py7zr.SevenZipFile(path, "a", password=password or None) as archive:
        for name, data in more.items():
            archive.writestr(data, name)
    assert images_of(contents_of(path)) == {"a/x": 7, "a/y": 4, "a/z": 4, "a/w": 1}
    expected = TREE | more | {"a/x/empty.png": b""}
    assert read(path, {"a/x", "a/w"}) == whole(expected, "a/x", "a/w")
    assert read(path, {"a/w"}) == whole(expected, "a/w")


def test_links_of_the_working_folder_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.7z").write_bytes(seven(TREE))
    (tmp_path / "work").mkdir()
    (tmp_path / "work/a").symlink_to("/etc")
    monkeypatch.chdir(tmp_path / "work")
    assert read(tmp_path / "1.7z", {"a/x"}) == whole(TREE, "a/x")
