"""Archives that lie, swell, or are of a kind that nothing reads cost their own members only."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import py7zr
import pytest

from gait.errors import DataError
from gait.prepare.raw.archives import Contents, contents_of, read_archive
from gait.prepare.raw.files import is_frame
from tests.raw_trees import PASSWORD, seven, tar, zipped

FRAME = b"a frame" * 40
MEGABYTE = 2**20


@contextmanager
def below(most: int) -> Iterator[None]:
    """Fails when the block takes more memory at a time, in bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def read(path: Path, folder: str = "a/x") -> dict[str, tuple[bytes, str]]:
    return {each.name: each.read() for each in read_archive(path, {folder: is_frame})}


def listed(tmp_path: Path, name: str, data: bytes | bytearray) -> Contents:
    (tmp_path / name).write_bytes(data)
    return contents_of(tmp_path / name)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of a tar member, which may claim any size."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    number = size.to_bytes(12, "big", signed=True)
    block[124:136] = bytes([number[0] | 0x80]) + number[1:]
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


# Tar files.


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_header_without_end_is_not_read_into_memory(
    tmp_path: Path, kind: bytes, is_compressed: bool
) -> None:
    good = tar({"a/x/1.png": FRAME})[:1024]
    data = good + header("long", 3 * 2**30, kind) + bytes(40 * MEGABYTE)
    with below(16 * MEGABYTE):
        path = tmp_path / ("1.tgz" if is_compressed else "1.tar")
        path.write_bytes(b"")
        with gzip.open(path, "wb", 1) if is_compressed else path.open("wb") as file:
            file.write(data)
            del data
    with below(8 * MEGABYTE):
        contents = contents_of(path)
    assert "a header of more than 1,048,576 bytes" in contents.problems[""]
    assert contents.folders["a/x"] == {".png": 1}


@pytest.mark.parametrize("size", [-512, -1, -(2**60), 2**62, 2**80])
def test_a_member_of_an_impossible_size_is_damage(tmp_path: Path, size: int) -> None:
    good = tar({"a/x/1.png": FRAME})[:1024]
    data = good + header("a/x/2.png", size) + tar({"a/x/3.png": FRAME})
    contents = listed(tmp_path, "1.tar", data)
    assert contents.problems and contents.unfinished == {"a/x"}
    assert read(tmp_path / "1.tar")["1.png"] == (FRAME, "")


def test_a_header_that_takes_the_square_of_its_length_is_refused(tmp_path: Path) -> None:
    digits = b"1" * 100_000
    data = header("pax", len(digits), tarfile.XHDTYPE) + digits + bytes(352) + header("a", 0)
    assert "digits" in listed(tmp_path, "1.tar", data + bytes(1024)).problems[""]


def test_headers_that_announce_each_other_are_damage(tmp_path: Path) -> None:
    record = b"14 comment=xx\n"
    one = header("pax", len(record), tarfile.XHDTYPE) + record.ljust(512, b"\0")
    assert listed(tmp_path, "1.tar", one * 1000 + bytes(1024)).problems


def test_a_tar_file_compressed_otherwise_says_so(tmp_path: Path) -> None:
    data = tar({"a/x/1.png": FRAME})
    for compressed, name in ((bz2.compress(data), "bzip2"), (lzma.compress(data), "xz")):
        assert f"compressed by {name}; pack" in listed(tmp_path, "1.tar", compressed).problems[""]


@pytest.mark.parametrize(
    ("mend", "problem"),
    [
        (lambda data: data[:-8] + bytes(4) + data[-4:], "CRC check failed"),
        (lambda data: data[:-4] + bytes(4), "Incorrect length of data"),
        (lambda data: data[:-3], "it is cut short"),
        (lambda data: data + b"what is this", "other bytes follow its end"),
        (lambda data: data + bytes(600), ""),
    ],
)
@pytest.mark.parametrize("is_inside", [False, True])
def test_the_trailer_of_gzip_is_read(
    tmp_path: Path, mend: Callable[[bytes], bytes], problem: str, is_inside: bool
) -> None:
    data = mend(tar({"a/x/1.png": FRAME}, compressed=True))
    if is_inside:
        contents = listed(tmp_path, "1.zip", zipped({"1.tgz": data}))
        assert contents.folders["1.tgz::a/x"] == {".png": 1}
    else:
        contents = listed(tmp_path, "1.tgz", data)
        assert contents.folders["a/x"] == {".png": 1}
    assert problem in "".join(contents.problems.values()) and bool(problem) == bool(
        contents.problems
    )
    # All of it was there: no sequence lacks its end.
    assert not contents.unfinished


def test_a_flipped_bit_in_a_tar_file_in_a_zip_file_shows(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "1.zip", "w") as archive:
        archive.writestr("1.tar", tar({"a/x/1.png": FRAME}))
    data = bytearray((tmp_path / "1.zip").read_bytes())
    data[data.index(FRAME) + 5] ^= 1
    assert listed(tmp_path, "1.zip", data).problems == {"1.tar": "its check sum is wrong"}


def test_a_compressed_tar_file_is_unpacked_as_far_as_is_likely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gait.prepare.raw.archives.part._SMALL_BYTES", MEGABYTE)
    monkeypatch.setenv("GAIT_MAX_EXPANSION", "10")
    data = tar({"a/x/1.png": FRAME, "a/x/2.png": bytes(20 * MEGABYTE), "a/x/3.png": FRAME}, True)
    contents = listed(tmp_path, "1.tgz", data)
    assert "more than 10 times as large" in contents.problems[""]
    assert "GAIT_MAX_EXPANSION" in contents.problems[""]


# Zip files.


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


# 7z files.


def test_little_is_unpacked_ahead_of_what_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gait.prepare.raw.archives.sevens._AHEAD_BYTES", 4 * MEGABYTE)
    frame = np.random.default_rng(0).bytes(2 * MEGABYTE)
    with py7zr.SevenZipFile(
        tmp_path / "1.7z", "w", filters=[{"id": py7zr.FILTER_COPY}]
    ) as archive:
        for number in range(20):
            archive.writestr(frame, f"a/x/{number:02d}.png")
    with below(24 * MEGABYTE):
        for member in read_archive(tmp_path / "1.7z", {"a/x": is_frame}):
            assert member.read() == (frame, "")


def test_a_7z_file_is_unpacked_as_far_as_is_likely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gait.prepare.raw.archives.part._SMALL_BYTES", 3 * MEGABYTE)
    monkeypatch.setenv("GAIT_MAX_EXPANSION", "10")
    tree = {f"a/x/{number}.png": bytes(MEGABYTE) for number in range(4)}
    (tmp_path / "1.7z").write_bytes(seven(tree))
    problems = [problem for _, problem in read(tmp_path / "1.7z").values()]
    assert problems == ["", "", "", "too large"]


@pytest.mark.parametrize("method", [py7zr.FILTER_COPY, py7zr.FILTER_BZIP2, py7zr.FILTER_ZSTD])
def test_what_a_7z_file_has_damaged_is_never_taken_for_whole(tmp_path: Path, method: int) -> None:
    noise = np.random.default_rng(0)
    tree = {f"a/x/{number}.png": noise.bytes(2000) for number in range(4)}
    with py7zr.SevenZipFile(tmp_path / "1.7z", "w", filters=[{"id": method}]) as archive:
        for name, each in tree.items():
            archive.writestr(each, name)
    data = (tmp_path / "1.7z").read_bytes()
    whole = {name[4:]: (each, "") for name, each in tree.items()}
    assert read(tmp_path / "1.7z") == whole
    for at in range(40, 7000, 500):
        (tmp_path / "1.7z").write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        for name, found in read(tmp_path / "1.7z").items():
            assert found in (whole[name], (b"", "damaged in the archive"))


def test_a_7z_file_of_too_many_members_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIT_MAX_ARCHIVE_MEMBERS", "3")
    contents = listed(tmp_path, "1.7z", seven({f"a/x/{n}.png": FRAME for n in range(4)}))
    assert "exceeds limit 3" in contents.problems[""]


@pytest.mark.parametrize("hides_names", [False, True])
def test_a_key_that_takes_minutes_is_not_derived(tmp_path: Path, hides_names: bool) -> None:
    with py7zr.SevenZipFile(tmp_path / "1.7z", "w", password=PASSWORD) as archive:
        archive.set_encrypted_header(hides_names)
        archive.set_encoded_header_mode(hides_names)
        archive.writestr(FRAME, "a/x/1.png")
    data = bytearray((tmp_path / "1.7z").read_bytes())
    (tmp_path / "password.txt").write_text(PASSWORD)
    at = data.rindex(b"\x06\xf1\x07\x01") + 5
    data[at] = data[at] & 0xC0 | 24
    offset, size = struct.unpack_from("<QQ", data, 12)
    data[28:32] = struct.pack("<L", zlib.crc32(data[32 + offset : 32 + offset + size]))
    data[8:12] = struct.pack("<L", zlib.crc32(data[12:32]))
    assert "2^24 steps" in listed(tmp_path, "1.7z", data).problems[""]


def test_methods_whose_libraries_crash_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.7z"
    with py7zr.SevenZipFile(path, "w", filters=[{"id": py7zr.FILTER_PPMD}]) as archive:
        archive.writestr(FRAME, "a/x/1.png")
    assert contents_of(path).problems == {"": "it is compressed by PPMd; pack it again with LZMA2"}


# What lies where archives and passwords are looked for.


def test_a_password_file_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.zip").write_bytes(zipped({"a/x/1.png": FRAME}, PASSWORD))
    os.mkfifo(tmp_path / "password.txt")
    with pytest.raises(DataError, match=r"password\.txt: .*it is no file"):
        contents_of(tmp_path / "1.zip")
    os.mkfifo(tmp_path / "2.tar")
    with pytest.raises(DataError, match=r"2\.tar: expected an archive"):
        contents_of(tmp_path / "2.tar")
