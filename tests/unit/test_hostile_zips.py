"""Zip files that lie, swell, or are of a kind that nothing reads cost their own members only."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gait.prepare.raw.archives import contents_of
from tests.raw_archives import PASSWORD, tar, zipped
from tests.unit.hostile import FRAME, MEGABYTE, below, listed, read


def zip_of(tree: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in tree.items():
            archive.writestr(name, data)
    return stream.getvalue()


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_read_and_its_damage_noted(tmp_path: Path, method: int) -> None:
    noise = np.random.default_rng(0)
    tree = {
        "a/x/1.png": b"",
        "a/x/2.png": noise.bytes(3000),
        "a/x/3.png": noise.bytes(700_000),
        "a/x/4.png": bytes(3 * MEGABYTE),
    }
    data = zip_of(tree, method)
    path = tmp_path / "1.zip"
    path.write_bytes(data)
    assert read(path) == {name[4:]: (each, "") for name, each in tree.items()}
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("a/x/2.png").header_offset
    path.write_bytes(data[: place + 300] + bytes(900) + data[place + 1200 :])
    found = read(path)
    assert found.pop("2.png") == (b"", "damaged in the archive")
    assert all(not problem for _, problem in found.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_bomb_takes_no_more_memory_than_a_member_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int
) -> None:
    data = bytearray(zip_of({"a/x/1.png": bytes(200 * MEGABYTE), "a/x/2.png": FRAME}, method))
    at = data.index(b"PK\x01\x02")
    # It claims to be small.
    data[at + 24 : at + 28] = struct.pack("<L", MEGABYTE)
    (tmp_path / "1.zip").write_bytes(data)
    del data
    with below(8 * MEGABYTE):
        assert read(tmp_path / "1.zip") == {
            "1.png": (b"", "damaged in the archive"),
            "2.png": (FRAME, ""),
        }


def test_a_member_larger_than_an_image_may_be_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "1.zip").write_bytes(zip_of({"a/x/1.png": bytes(65 * MEGABYTE)}))
    with below(4 * MEGABYTE):
        assert read(tmp_path / "1.zip") == {"1.png": (b"", "too large")}


def test_names_that_are_no_text_cost_their_members_only(tmp_path: Path) -> None:
    data = zip_of({"a/x/1.png": FRAME, "a/x/é.png": FRAME, "a/x/\r.png": FRAME, "q": FRAME})
    # The name of one is emptied, where it is one byte long.
    data = data.replace("é".encode(), b"\xff\xfe")
    contents = listed(tmp_path, "1.zip", data)
    assert contents.folders == {"a/x": {".png": 1}}
    assert contents.ignored == {
        "name that is not UTF-8": 1,
        "name with a control character, such as a line break": 1,
        "other archive member": 1,
    }
    assert read(tmp_path / "1.zip") == {"1.png": (FRAME, "")}


def test_a_member_without_a_name_is_counted(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/x/1.png", FRAME)
        info = zipfile.ZipInfo("q")
        info.filename = ""
        archive.writestr(info, FRAME)
    contents = listed(tmp_path, "1.zip", stream.getvalue())
    assert contents.ignored == {"archive member without a name": 1}
    assert contents.folders == {"a/x": {".png": 1}}


def test_members_that_share_their_bytes_are_left_out(tmp_path: Path) -> None:
    data = zip_of({f"a/x/{number}.png": FRAME for number in range(4)}, zipfile.ZIP_STORED)
    start = data.index(b"PK\x01\x02")
    records = bytearray(data[start:])
    at = 0
    # Three of them are said to lie where the first one does.
    while (at := records.find(b"PK\x01\x02", at + 1)) > 0:
        records[at + 42 : at + 46] = bytes(4)
    contents = listed(tmp_path, "1.zip", data[:start] + records)
    assert contents.ignored == {"archive member that shares its bytes with another one": 3}


def test_methods_that_nothing_reads_are_named(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a/x/1.png": FRAME, "a/x/2.png": FRAME}))
    at = data.index(b"PK\x01\x02")
    data[at + 10 : at + 12] = struct.pack("<H", 9)
    contents = listed(tmp_path, "1.zip", data)
    (reason,) = contents.ignored
    assert "(Deflate64); pack it again with Deflate" in reason
    assert contents.folders["a/x"] == {".png": 1}


def test_links_and_devices_in_a_zip_file_are_no_frames(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, mode in enumerate((0o120777, 0o020666, 0o010644, 0o140644, 0o100644)):
            info = zipfile.ZipInfo(f"a/x/{number}.png")
            info.external_attr = mode << 16
            archive.writestr(info, FRAME)
    contents = listed(tmp_path, "1.zip", stream.getvalue())
    assert contents.folders["a/x"] == {".png": 1}
    assert contents.ignored == {"other archive member": 4}


@pytest.mark.parametrize("field", ["strength", "length", "method"])
def test_a_damaged_header_of_encryption_costs_one_member(tmp_path: Path, field: str) -> None:
    data = bytearray(zipped({"a/x/1.png": FRAME, "a/x/2.png": FRAME}, PASSWORD))
    at = data.index(b"\x01\x99\x07\x00", data.index(b"PK\x01\x02"))
    match field:
        case "strength":
            data[at + 8] = 77
        case "length":
            data[at + 2] = 200
        case "method":
            data[at + 9] = 14
    (tmp_path / "password.txt").write_text(PASSWORD)
    listed(tmp_path, "1.zip", data)
    found = read(tmp_path / "1.zip")
    assert found["1.png"] == (b"", "damaged in the archive")
    assert found["2.png"] == (FRAME, "")


def test_a_member_that_does_not_say_how_it_is_encrypted_is_left_out(tmp_path: Path) -> None:
    data = bytearray(zipped({"a/x/1.png": FRAME, "a/x/2.png": FRAME}, PASSWORD))
    at = data.index(b"\x01\x99\x07\x00", data.index(b"PK\x01\x02"))
    data[at : at + 2] = b"\0\0"
    (tmp_path / "password.txt").write_text(PASSWORD)
    contents = listed(tmp_path, "1.zip", data)
    assert contents.folders["a/x"] == {".png": 1}
    (reason,) = contents.ignored
    assert "nothing here can read (method 99)" in reason
    assert read(tmp_path / "1.zip") == {"2.png": (FRAME, "")}


def test_a_zip_file_of_a_zip_file_of_zeros_is_not_laid_to_disk(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("b/1.zip", "w") as member:
            for _ in range(16):
                member.write(bytes(16 * MEGABYTE))
        archive.writestr("a/x/1.png", FRAME)
    with below(4 * MEGABYTE):
        contents = contents_of(tmp_path / "1.zip")
    assert contents.folders == {"a/x": {".png": 1}}
    assert "GAIT_MAX_EXPANSION" in contents.problems["b/1.zip"]


def test_an_index_larger_than_allowed_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIT_MAX_ARCHIVE_INDEX_BYTES", "200")
    contents = listed(tmp_path, "1.zip", zip_of({f"a/x/{n}.png": FRAME for n in range(9)}))
    assert "GAIT_MAX_ARCHIVE_INDEX_BYTES" in contents.problems[""]


def test_folders_beyond_the_bound_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIT_MAX_ARCHIVE_FOLDERS", "3")
    contents = listed(tmp_path, "1.tar", tar({f"{n}/1.png": FRAME for n in range(5)}))
    assert len(contents.folders) == 3
    (reason,) = contents.ignored
    assert "GAIT_MAX_ARCHIVE_FOLDERS" in reason and contents.ignored[reason] == 2
