"""Frames come from folders and archives in the order of their names, and damage is told."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import parse_source
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.raw.frames import Frame, natural
from gait.prepare.raw.sources import read_images
from gait.types import SequenceKey
from tests.raw_archives import seven, tar
from tests.raw_trees import lay

CASIA_B = ["casia_b_silhouettes"]


def silhouette(value: int) -> NDArray[np.uint8]:
    image = np.zeros((24, 32), np.uint8)
    image[4:20, 8 : 9 + value] = 255
    return image


def png(value: int) -> bytes:
    return bytes(cv2.imencode(".png", silhouette(value))[1])


def make_archive(path: Path, members: list[tuple[str, bytes]]) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)
        return
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def read(raw: Path, rows: list[CatalogueRow]) -> dict[str, list[Frame]]:
    found = [(str(row.key), list(frames)) for row, frames in read_images(raw, rows)]
    assert len({key for key, _ in found}) == len(found) == len(rows)
    return dict(found)


def told(frames: list[Frame]) -> list[tuple[str, str]]:
    assert all((frame.image is None) == bool(frame.problem) for frame in frames)
    return [(frame.name, frame.problem) for frame in frames]


def test_folder_in_the_order_of_names_with_unreadable_ones(tmp_path: Path) -> None:
    folder = tmp_path / "001/nm-01/090"
    folder.mkdir(parents=True)
    (folder / "f10.png").write_bytes(png(1))
    (folder / "f9.png").write_bytes(png(2))
    (folder / "é b.PNG").write_bytes(png(3))
    (folder / "cut.png").write_bytes(png(4)[:-20])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no image")
    (folder / "notes.txt").write_text("no image")
    (folder / "._f9.png").write_text("no image")
    (tmp_path / "outside.png").write_bytes(png(5))
    frames = read(tmp_path, scan(tmp_path, RawForm(CASIA_B)).rows)["001/nm-01/090"]
    assert told(frames) == [
        ("cut.png", "unreadable"),
        ("empty.png", "unreadable"),
        ("f10.png", ""),
        ("f9.png", ""),
        ("text.png", "unreadable"),
        ("é b.PNG", ""),
    ]
    image = frames[3].image
    assert image is not None
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, silhouette(2))


def test_colour_images_become_gray_as_by_imread(tmp_path: Path) -> None:
    folder = tmp_path / "a/b/c"
    folder.mkdir(parents=True)
    colour = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)
    for suffix in (".png", ".jpg", ".bmp"):
        cv2.imwrite(str(folder / f"1{suffix}"), colour)
    for frame in read(tmp_path, scan(tmp_path, RawForm(["image_tree"])).rows)["a/b/c"]:
        expected = cv2.imread(str(folder / frame.name), cv2.IMREAD_GRAYSCALE)
        assert frame.image is not None
        np.testing.assert_array_equal(frame.image, expected)


@pytest.mark.parametrize("name", ["Silhouette_000-00.tar", "Silhouette_000-00.7z", ""])
def test_numbers_in_names_may_count(tmp_path: Path, name: str) -> None:
    names = ["f10.png", "f9.png", "f09.png", "g1.png", "2f.png", "10f.png", "f.png", "f9b.png"]
    tree = {f"Silhouette_000-00/00001/{each}": png(1) for each in names}
    if name:
        lay(tmp_path, {name: tar(tree) if name.endswith("tar") else seven(tree)})
    else:
        lay(tmp_path, tree)
    rows = scan(tmp_path, RawForm(["oumvlp_silhouettes"])).rows
    ((_, frames),) = read_images(tmp_path, rows, order=natural)
    assert [frame.name for frame in frames] == [
        "2f.png",
        "10f.png",
        "f09.png",
        "f9.png",
        "f9b.png",
        "f10.png",
        "f.png",
        "g1.png",
    ]
    ((_, frames),) = read_images(tmp_path, rows)
    assert [frame.name for frame in frames] == sorted(names)


def test_link_to_outside_is_not_a_frame(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "001/nm-01/090").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png(1))
    (raw / "001/nm-01/090/1.png").symlink_to(tmp_path / "secret.png")
    (raw / "001/nm-01/090/2.png").write_bytes(png(2))
    found = scan(raw, RawForm(CASIA_B))
    assert sum(found.ignored.values()) == 1
    assert told(read(raw, found.rows)["001/nm-01/090"]) == [("2.png", "")]


@pytest.mark.parametrize("name", ["001.tar.gz", "001.tar", "001.zip"])
def test_archive_with_interleaved_and_unordered_members(tmp_path: Path, name: str) -> None:
    members = [
        (f"001/{condition}/090/{frame}.png", png(frame))
        for frame in (3, 1, 2)
        for condition in ("nm-01", "bg-01", "cl-01")
    ]
    make_archive(tmp_path / name, members)
    rows = scan(tmp_path, RawForm(CASIA_B)).rows
    found = read(tmp_path, rows)
    assert list(found) == ["001/nm-01/090", "001/bg-01/090", "001/cl-01/090"]
    for frames in found.values():
        assert told(frames) == [("1.png", ""), ("2.png", ""), ("3.png", "")]
        assert frames[2].image is not None
        np.testing.assert_array_equal(frames[2].image, silhouette(3))
    assert list(read(tmp_path, rows[1:2])) == ["001/cl-01/090"]


def test_archive_and_folder_give_the_same(tmp_path: Path) -> None:
    members = [(f"001/nm-01/090/{number:03d}.png", png(number)) for number in range(5)]
    (tmp_path / "packed").mkdir()
    make_archive(tmp_path / "packed/001.tgz", members)
    for name, data in members:
        path = tmp_path / "plain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    packed, plain = (
        read(tmp_path / each, scan(tmp_path / each, RawForm(CASIA_B)).rows)["001/nm-01/090"]
        for each in ("packed", "plain")
    )
    assert told(packed) == told(plain)
    for one, other in zip(packed, plain, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_empty_sequences_have_no_frames(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "001.tar", "w") as tar:
        info = tarfile.TarInfo("001/nm-01/090")
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    (tmp_path / "002/nm-01/090").mkdir(parents=True)
    (tmp_path / "002/nm-01/108").mkdir(parents=True)
    (tmp_path / "002/nm-01/108/1.png").write_bytes(png(1))
    found = read(tmp_path, scan(tmp_path, RawForm(CASIA_B)).rows)
    assert {key: len(frames) for key, frames in found.items()} == {
        "001/nm-01/090": 0,
        "002/nm-01/090": 0,
        "002/nm-01/108": 1,
    }


def noisy_members(conditions: int, frames: int, interleaved: bool) -> list[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    members = [
        (f"001/nm-{condition:02d}/090/{frame:03d}.png", rng.integers(0, 2, (40, 40), np.uint8))
        for condition in range(1, conditions + 1)
        for frame in range(frames)
    ]
    if interleaved:
        members.sort(key=lambda member: member[0][-7:])
    return [(name, bytes(cv2.imencode(".png", image * 255)[1])) for name, image in members]


@pytest.mark.parametrize("name", ["001.tar.gz", "001.tar"])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("share", [0.31, 0.5, 0.77])
def test_truncated_archive_tells_which_sequence_suffered(
    tmp_path: Path, name: str, interleaved: bool, share: float
) -> None:
    make_archive(tmp_path / name, noisy_members(4, 30, interleaved))
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    found = scan(tmp_path, RawForm(CASIA_B))
    assert any("damaged" in reason for reason in found.ignored)
    frames = read(tmp_path, found.rows)
    cut = {key for key, each in frames.items() if told(each)[-1] == ("", "archive cut short")}
    if interleaved:
        assert cut == set(frames)
    else:
        assert cut == {max(frames)}
        assert all(len(each) == 30 for key, each in frames.items() if key not in cut)
    good = [frame for each in frames.values() for frame in each if not frame.problem]
    assert 0.6 * share * 120 < len(good) < share * 120 + 10


def test_tar_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    make_archive(tmp_path / "001.tar", [(f"001/nm-01/090/{i}.png", png(i)) for i in range(4)])
    with tarfile.open(tmp_path / "001.tar") as tar:
        end = tar.getmembers()[2].offset
    os.truncate(tmp_path / "001.tar", end)
    rows = scan(tmp_path, RawForm(CASIA_B)).rows
    assert told(read(tmp_path, rows)["001/nm-01/090"]) == [
        ("0.png", ""),
        ("1.png", ""),
        ("", "archive cut short"),
    ]


def test_archive_cut_after_it_was_catalogued(tmp_path: Path) -> None:
    make_archive(tmp_path / "001.tar", noisy_members(3, 10, False))
    rows = scan(tmp_path, RawForm(CASIA_B)).rows
    os.truncate(tmp_path / "001.tar", 3000)
    found = read(tmp_path, rows)
    assert told(found["001/nm-02/090"]) == [("", "archive cut short")]
    (tmp_path / "001.tar").write_bytes(b"")
    assert all(told(each) == [("", "archive cut short")] for each in read(tmp_path, rows).values())


def test_corrupt_member_of_a_zip(tmp_path: Path) -> None:
    make_archive(tmp_path / "001.zip", [(f"001/nm-01/090/{i}.png", png(i)) for i in range(3)])
    data = bytearray((tmp_path / "001.zip").read_bytes())
    data[data.index(png(1)) + 45] ^= 0xFF
    (tmp_path / "001.zip").write_bytes(data)
    frames = read(tmp_path, scan(tmp_path, RawForm(CASIA_B)).rows)["001/nm-01/090"]
    assert told(frames) == [("0.png", ""), ("1.png", "damaged in the archive"), ("2.png", "")]


def test_huge_member_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIT_MAX_IMAGE_BYTES", "1000")
    members = [("001/nm-01/090/1.png", bytes(100_000)), ("001/nm-01/090/2.png", png(2))]
    make_archive(tmp_path / "001.tar.gz", members)
    frames = read(tmp_path, scan(tmp_path, RawForm(CASIA_B)).rows)["001/nm-01/090"]
    assert told(frames) == [("1.png", "too large"), ("2.png", "")]


def test_member_written_twice_counts_once_and_the_later_one(tmp_path: Path) -> None:
    name = "001/nm-01/090/1.png"
    make_archive(tmp_path / "001.tar", [(name, png(1)), (name, png(2))])
    (frame,) = read(tmp_path, scan(tmp_path, RawForm(CASIA_B)).rows)["001/nm-01/090"]
    np.testing.assert_array_equal(frame.image, silhouette(2))


def test_one_sequence_at_a_time_is_held(tmp_path: Path) -> None:
    blob = os.urandom(100_000)
    members = [
        (f"001/nm-{condition:02d}/{view:03d}/{frame}.png", blob)
        for condition in range(1, 7)
        for view in range(10)
        for frame in range(10)
    ]
    make_archive(tmp_path / "001.tar", members)
    rows = scan(tmp_path, RawForm(CASIA_B)).rows
    tracemalloc.start()
    assert sum(1 for _ in read_images(tmp_path, rows)) == 60
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000 < 60 * 10 * 100_000


def row(kind: str, source: str) -> CatalogueRow:
    return CatalogueRow(
        SequenceKey("001", "nm-01", "090"), RowKind(kind), parse_source(source), "", ""
    )


def test_sources_that_are_gone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is in the catalogue and not on disk any more"):
        read(tmp_path, [row("images", "001/nm-01/090")])
    with pytest.raises(DataError, match="is in the catalogue and not on disk any more"):
        read(tmp_path, [row("images", "001.tar::001/nm-01/090")])
    make_archive(tmp_path / "001.tar", [("001/nm-02/090/1.png", png(1))])
    with pytest.raises(DataError, match=r"has no folder 001/nm-01/090 any more; run gait rearr"):
        read(tmp_path, [row("images", "001.tar::001/nm-01/090")])


@pytest.mark.parametrize("source", ["../001", "/etc", "link"])
def test_paths_that_leave_the_raw_folder(tmp_path: Path, source: str) -> None:
    raw = tmp_path / "raw"
    (tmp_path / "001").mkdir()
    raw.mkdir()
    (raw / "link").symlink_to("../001")
    for kind, suffix in (("images", ""), ("images", "::001/nm-01/090")):
        with pytest.raises(DataError, match="expected a path that stays below"):
            read(raw, [row(kind, source + suffix)])


def test_a_video_has_to_be_segmented_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"090: expected images .* got video"):
        read(tmp_path, [row("video", "001-nm-01-090.avi")])
