"""Tar and 7z files that lie, swell, or are of no kind at all cost their own members only."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import py7zr
import pytest

from gait.errors import DataError
from gait.prepare.raw.archives import contents_of, read_archive
from gait.prepare.raw.files import is_frame
from tests.raw_archives import PASSWORD, seven, tar, zipped
from tests.unit.hostile import FRAME, MEGABYTE, below, listed, read


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
