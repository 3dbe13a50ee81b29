"""Layouts turn raw trees into rows, and count what they leave out."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from gait import registry
from gait.config.dataset import UNFIT_NAME
from gait.errors import DataError
from gait.formats.catalogue import IMAGES, CatalogueRow
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.raw.files import VIDEOS, is_frame, state_of, walk


def make(raw: Path, *names: str) -> None:
    for name in names:
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def keys(rows: list[CatalogueRow]) -> list[str]:
    return [str(row.key) for row in rows]


def make_tar(path: Path, members: Mapping[str, bytes | None]) -> None:
    """A tar file; a member of None is a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "w:gz" if path.name.endswith("gz") else "w"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if data is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("name", registry.names("layout"))
def test_every_layout_says_what_it_looks_for_and_finds_nothing_in_nothing(
    name: str, tmp_path: Path
) -> None:
    layout = registry.build("layout", {"name": name})
    assert "\n" not in layout.looked_for
    assert layout.looked_for
    found = layout.scan(tmp_path)
    assert (found.rows, found.archives, found.unused.counts()) == ([], [], {})


def test_casia_b_videos(tmp_path: Path) -> None:
    make(
        tmp_path,
        "001-nm-01-090.avi",
        "DatasetB/videos/002-bg-02-000.AVI",
        "DatasetB/videos/002-cl-01-000.avi",
        "001-bkgrd-090.avi",
        "DatasetB/002-bkgrd-000.avi",
        "003-bkgrd-000.avi",
        "001-xx-01-090.avi",
        "001-nm-1-090.avi",
        "001-nm-01-090.mp4",
        "readme.txt",
        ".DS_Store",
        "._001-nm-01-090.avi",
        "Thumbs.db",
        "__MACOSX/001-nm-02-090.avi",
    )
    found = scan(tmp_path, RawForm(["casia_b_videos"]))
    assert found.layout == "CasiaBVideos"
    assert [(str(row.key), row.kind, str(row.source), row.background) for row in found.rows] == [
        ("001/nm-01/090", "video", "001-nm-01-090.avi", "001-bkgrd-090.avi"),
        (
            "002/bg-02/000",
            "video",
            "DatasetB/videos/002-bg-02-000.AVI",
            "DatasetB/002-bkgrd-000.avi",
        ),
        (
            "002/cl-01/000",
            "video",
            "DatasetB/videos/002-cl-01-000.avi",
            "DatasetB/002-bkgrd-000.avi",
        ),
    ]
    assert found.ignored == {
        "background clip without a video of its camera": 1,
        "other .txt file": 1,
        "system file": 4,
        "video not named like 001-nm-01-090.avi": 3,
    }


def test_video_without_background_clip(tmp_path: Path) -> None:
    make(tmp_path, "001-nm-01-090.avi", "001-bkgrd-018.avi", "001-nm-01-018.avi")
    rows = scan(tmp_path, RawForm(["casia_b_videos"])).rows
    assert [row.background for row in rows] == ["001-bkgrd-018.avi", ""]


@pytest.mark.parametrize("layout", ["casia_b_videos", "named_videos"])
def test_a_pose_belongs_to_the_video_beside_it(layout: str, tmp_path: Path) -> None:
    make(
        tmp_path,
        "a/001-nm-01-090.AVI",
        "a/001-nm-01-090.pose.npz",
        "b/001-nm-02-090.avi",
        "001-nm-02-090.pose.npz",
        "a/001-bkgrd-090.pose.npz",
    )
    found = scan(tmp_path, RawForm([layout]))
    assert [row.pose for row in found.rows] == ["a/001-nm-01-090.pose.npz", ""]
    assert found.ignored == {"pose without a video of the same name": 2}
    os.utime(tmp_path / "a/001-nm-01-090.pose.npz", ns=(5, 5))
    changed = scan(tmp_path, RawForm([layout])).rows
    assert changed[0].fingerprint != found.rows[0].fingerprint
    assert changed[1].fingerprint == found.rows[1].fingerprint
    (tmp_path / "a/001-nm-01-090.pose.npz").unlink()
    assert [row.pose for row in scan(tmp_path, RawForm([layout])).rows] == ["", ""]


def test_two_background_clips_of_a_camera_are_an_error(tmp_path: Path) -> None:
    make(tmp_path, "001-nm-01-090.avi", "a/001-bkgrd-090.avi", "b/001-bkgrd-090.avi")
    with pytest.raises(DataError, match=r"a/001-bkgrd-090.avi and b/001-bkgrd-090.avi; remove"):
        scan(tmp_path, RawForm(["casia_b_videos"]))


def test_fingerprint_follows_the_video_and_its_background(tmp_path: Path) -> None:
    make(tmp_path, "001-nm-01-090.avi", "001-nm-02-090.avi", "001-bkgrd-090.avi")

    def prints() -> list[str]:
        return [row.fingerprint for row in scan(tmp_path, RawForm(["casia_b_videos"])).rows]

    before = prints()
    assert prints() == before
    assert len(set(before)) == 2
    assert all(len(each) == 16 for each in before)
    os.utime(tmp_path / "001-nm-02-090.avi", ns=(5, 5))
    touched = prints()
    assert touched[0] == before[0]
    assert touched[1] != before[1]
    (tmp_path / "001-bkgrd-090.avi").write_bytes(b"another background")
    assert not set(prints()) & set(touched)


def test_casia_b_silhouettes_unpacked(tmp_path: Path) -> None:
    make(
        tmp_path,
        "001/nm-01/090/001-nm-01-090-001.png",
        "001/nm-01/090/001-nm-01-090-002.PNG",
        "001/nm-01/090/Thumbs.db",
        "001/nm-01/090/notes.txt",
        "GaitDatasetB-silh/002/cl-02/018/002-cl-02-018-023.png",
        "GaitDatasetB-silh/002/cl-02/stray.png",
        "__MACOSX/001/nm-01/090/._001.png",
    )
    (tmp_path / "001/nm-01/108").mkdir()
    found = scan(tmp_path, RawForm(["CasiaBSilhouettes"]))
    assert [(str(row.key), row.kind, str(row.source)) for row in found.rows] == [
        ("001/nm-01/090", "images", "001/nm-01/090"),
        ("001/nm-01/108", "images", "001/nm-01/108"),
        ("002/cl-02/018", "images", "GaitDatasetB-silh/002/cl-02/018"),
    ]
    assert found.ignored == {
        "image outside <subject>/<condition>/<view>/": 1,
        "other .txt file": 1,
        "system file": 2,
    }


@pytest.mark.parametrize("name", ["001.tar.gz", "001.tgz", "001.tar", "001.zip", "001.TAR.GZ"])
def test_casia_b_archives(tmp_path: Path, name: str) -> None:
    members = {
        "./001/nm-01/090/001-nm-01-090-001.png": b"one",
        "001/nm-01/090/001-nm-01-090-002.png": b"two",
        "001/bg-01/000/001-bg-01-000-001.png": b"three",
        "001/bg-01/000/Thumbs.db": b"junk",
        "__MACOSX/001/nm-01/090/._001.png": b"junk",
        "001/readme.txt": b"junk",
        "001/stray.png": b"junk",
        "../001/nm-02/090/001.png": b"evil",
        "/001/nm-03/090/001.png": b"evil",
    }
    path = tmp_path / "deep" / name
    path.parent.mkdir()
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
            archive.writestr("001/cl-01/180/", b"")
    else:
        make_tar(path, {**members, "001/cl-01/180": None})
    found = scan(tmp_path, RawForm(["casia_b_silhouettes"]))
    assert [(str(row.key), row.kind, str(row.source)) for row in found.rows] == [
        ("001/bg-01/000", "images", f"deep/{name}::001/bg-01/000"),
        ("001/cl-01/180", "images", f"deep/{name}::001/cl-01/180"),
        ("001/nm-01/090", "images", f"deep/{name}::001/nm-01/090"),
    ]
    assert len({row.fingerprint for row in found.rows}) == 3
    assert found.ignored == {
        "other archive member": 1,
        "archive member with a path that leads out of it": 2,
        "image outside <subject>/<condition>/<view>/": 1,
        "system file": 2,
    }


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    make_tar(tmp_path / "001.tar", {"001/nm-01/090/001.png": b"one"})
    with tarfile.open(tmp_path / "001.tar", "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("001/nm-02/090/001.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    found = scan(tmp_path, RawForm(["casia_b_silhouettes"]))
    assert keys(found.rows) == ["001/nm-01/090"]
    assert found.ignored == {"other archive member": 2}


def test_truncated_archive_is_listed_as_far_as_it_goes(tmp_path: Path) -> None:
    frames = {
        f"001/nm-0{number}/090/{frame:03d}.png": os.urandom(2000)
        for number in range(1, 5)
        for frame in range(20)
    }
    make_tar(tmp_path / "001.tar.gz", frames)
    whole = (tmp_path / "001.tar.gz").read_bytes()
    (tmp_path / "001.tar.gz").write_bytes(whole[: len(whole) // 2])
    found = scan(tmp_path, RawForm(["casia_b_silhouettes"]))
    assert keys(found.rows)[0] == "001/nm-01/090"
    assert 1 < len(found.rows) < 4
    assert found.ignored == {"archive 001.tar.gz, damaged (it is cut short), its end": 1}


@pytest.mark.parametrize("name", ["001.tar.gz", "001.tar", "001.zip"])
@pytest.mark.parametrize("content", [b"", b"not an archive" * 100])
def test_broken_archive_is_counted_beside_whole_ones(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    make_tar(tmp_path / "002.tar.gz", {"002/nm-01/090/001.png": b"one"})
    found = scan(tmp_path, RawForm(["casia_b_silhouettes"]))
    assert keys(found.rows) == ["002/nm-01/090"]
    assert len(found.ignored) == 1
    assert next(iter(found.ignored)).startswith(f"archive {name}, damaged (")


def test_image_tree(tmp_path: Path) -> None:
    make(
        tmp_path,
        "anna/walk/front/b.png",
        "anna/walk/front/a b é.jpg",
        "anna/walk/front/gei.png",
        "anna/run fast/front/a.png",
        "josé/walk/front/a.png",
        "bob/walk/side/1.bmp",
        "bob/walk/1.png",
        "bob/walk/side/deeper/1.png",
        "poster.png",
        "notes.txt",
    )
    found = scan(tmp_path, RawForm(["image_tree"]))
    assert [(str(row.key), str(row.source)) for row in found.rows] == [
        ("anna/walk/front", "anna/walk/front"),
        ("bob/walk/side", "bob/walk/side"),
    ]
    assert found.ignored == {
        f"folder {UNFIT_NAME}": 2,
        "image outside <subject>/<condition>/<view>/": 3,
        "other .png file": 1,
        "other .txt file": 1,
    }


def test_tree_of_empty_folders_holds_no_sequence(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds no sequence, no file either.*empty folder: 1"):
        scan(tmp_path, RawForm(["image_tree"]))


def test_named_videos(tmp_path: Path) -> None:
    make(
        tmp_path,
        "001-nm-01-090.avi",
        "day 2/bob-walk-front.MP4",
        "bob-background-front.mov",
        "carol-a-b-c-side.webm",
        "dan-walk.mkv",
        "eve--front.mkv",
        "josé-walk-front.mkv",
        "frank-walk-front.txt",
    )
    found = scan(tmp_path, RawForm(["NamedVideos"]))
    assert [(*row.key, str(row.source), row.background) for row in found.rows] == [
        ("001", "nm-01", "090", "001-nm-01-090.avi", ""),
        ("bob", "walk", "front", "day 2/bob-walk-front.MP4", "bob-background-front.mov"),
        ("carol", "a-b-c", "side", "carol-a-b-c-side.webm", ""),
    ]
    assert found.ignored == {
        "other .txt file": 1,
        "video not named <subject>-<condition>-<view>": 2,
        f"video {UNFIT_NAME}": 1,
    }


def test_links_stay_inside(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    make(raw, "a/001-nm-01-090.avi", "store/clip.bin")
    make(tmp_path, "outside/001-nm-02-090.avi", "raw-2/001-nm-05-090.avi")
    (raw / "linked").symlink_to(tmp_path / "outside")
    (raw / "001-nm-02-090.avi").symlink_to(tmp_path / "outside" / "001-nm-02-090.avi")
    (raw / "001-nm-05-090.avi").symlink_to(tmp_path / "raw-2" / "001-nm-05-090.avi")
    (raw / "001-nm-03-090.avi").symlink_to(raw / "missing.avi")
    (raw / "001-nm-04-090.avi").symlink_to("store/clip.bin")
    (raw / "a" / "loop").symlink_to("..")
    os.mkfifo(raw / "001-nm-06-090.avi")
    found = scan(raw, RawForm(["casia_b_videos"]))
    assert keys(found.rows) == ["001/nm-01/090", "001/nm-04/090"]
    assert found.ignored == {
        "link back to a folder above it": 1,
        "link that leaves the raw folder (link the raw folder itself instead)": 3,
        "link to nothing": 1,
        "neither file nor folder": 1,
        "other .bin file": 1,
    }


def test_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    make(tmp_path, "a/001-nm-01-090.avi", "b/001-nm-02-090.txt")
    (tmp_path / "a" / "to_b").symlink_to("../b")
    (tmp_path / "b" / "to_a").symlink_to("../a")
    with pytest.raises(DataError, match="expected each sequence once"):
        scan(tmp_path, RawForm(["casia_b_videos"]))


def test_linked_raw_folder_is_fine(tmp_path: Path) -> None:
    make(tmp_path / "store", "001-nm-01-090.avi")
    (tmp_path / "raw").symlink_to("store")
    assert keys(scan(tmp_path / "raw", RawForm(["casia_b_videos"])).rows) == ["001/nm-01/090"]


def test_names_that_are_not_text_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "001-nm-01-090.avi")
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    assert scan(tmp_path, RawForm(["casia_b_videos"])).ignored == {"name that is not UTF-8": 1}


def test_walk_is_in_order_and_knows_suffixes(tmp_path: Path) -> None:
    make(tmp_path, "b/2", "b/1", "a/c/1", "z", "a/1")
    found = list(walk(tmp_path))
    assert [folder.parts for folder in found] == [(), ("a",), ("a", "c"), ("b",)]
    assert [file.name for file in found[3].files] == ["1", "2"]
    assert not IMAGES & VIDEOS
    assert is_frame("x.PNG")
    assert not is_frame("001_gei.png")


def test_folder_that_may_not_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        DataError, match=r"cannot be listed \(Permission denied\); make the folder"
    ):
        scan(tmp_path, RawForm(["casia_b_videos"]))


def test_archive_that_may_not_be_opened_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "001.zip")

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"001\.zip: cannot be opened \(Permission denied\)"):
        scan(tmp_path, RawForm(["casia_b_silhouettes"]))


def test_file_that_goes_meanwhile_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "001-nm-01-090.avi")
    (folder,) = walk(tmp_path)
    (tmp_path / "001-nm-01-090.avi").unlink()
    with pytest.raises(DataError, match="went while the folder was read"):
        state_of(folder.files[0])
