"""Passwords of archives: where they are found, and what is told where they do not fit."""

from __future__ import annotations

import base64
import io
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError, MissingExtraError
from gait.prepare.raw.archives import (
    contents_of,
)
from tests.raw_archives import PASSWORD, seven, tar, zipped
from tests.unit.archives import MAKERS, TREE, images_of, read, whole

# Made by Info-ZIP's `zip -P secret`: the file a/x/1.png holds `old encryption` 30 times.
OLD_ENCRYPTION = (
    "UEsDBBQACQAIANezeV3u0JKTIQAAAKQBAAAJAAAAYS94LzEucG5nN6T7obH0O+rIvqWniPSj5UMonQ4g"
    "eLI6Xo3tDerWsuRBUEsHCO7QkpMhAAAApAEAAFBLAQIeAxQACQAIANezeV3u0JKTIQAAAKQBAAAJAAAA"
    "AAAAAAEAAACkgQAAAABhL3gvMS5wbmdQSwUGAAAAAAEAAQA3AAAAWAAAAAAA"
)

ENCRYPTED = {
    "1.zip": lambda tree: zipped(tree, PASSWORD),
    "1.7z": lambda tree: seven(tree, PASSWORD),
    "hidden.7z": lambda tree: seven(tree, PASSWORD, hides_names=True),
}


@pytest.mark.parametrize("name", ENCRYPTED)
@pytest.mark.parametrize("file", ["{}.password", "password.txt"])
def test_a_password_is_read_from_a_file_beside(tmp_path: Path, name: str, file: str) -> None:
    (tmp_path / name).write_bytes(ENCRYPTED[name](TREE))
    (tmp_path / file.format(name)).write_text(f"\ufeff {PASSWORD}\r\n", encoding="utf-8")
    assert images_of(contents_of(tmp_path / name)) == {"a/x": 4, "a/y": 4, "a/z": 4}
    assert read(tmp_path / name, {"a/y"}) == whole(TREE, "a/y")


@pytest.mark.parametrize("name", ENCRYPTED)
def test_a_missing_or_wrong_password_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(ENCRYPTED[name](TREE))
    with pytest.raises(DataError, match=f"is encrypted, and neither {name}.password nor passw"):
        contents_of(path)
    (tmp_path / "password.txt").write_text("guessed wrong")
    for attempt in (lambda: contents_of(path), lambda: read(path, {"a/x"})):
        with pytest.raises(DataError) as raised:
            attempt()
        text = str(raised.value)
        assert "does not open with the password in password.txt; correct it" in text
        assert "\n" not in text and "guessed" not in text
    (tmp_path / f"{name}.password").write_text(" \n")
    with pytest.raises(DataError, match=r"\.password: .* got an empty file"):
        contents_of(path)
    (tmp_path / f"{name}.password").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"\.password: .*\(it is not UTF-8\)"):
        contents_of(path)


@pytest.mark.parametrize("outer", MAKERS)
@pytest.mark.parametrize("inner", ENCRYPTED)
def test_an_archive_inside_has_the_password_of_the_outermost(
    tmp_path: Path, outer: str, inner: str
) -> None:
    path = tmp_path / f"outer{outer[1:]}"
    path.write_bytes(MAKERS[outer]({f"b/{inner}": ENCRYPTED[inner](TREE)}))
    with pytest.raises(DataError) as raised:
        contents_of(path)
    expected = f"{path}::b/{inner}: is encrypted, and neither {path.name}.password nor password"
    assert str(raised.value).startswith(expected)
    (tmp_path / "password.txt").write_text("guessed wrong")
    with pytest.raises(DataError, match=f"::b/{inner}: does not open with the password in passw"):
        contents_of(path)
    (tmp_path / f"{path.name}.password").write_text(PASSWORD)
    assert images_of(contents_of(path)) == {f"b/{inner}::a/{folder}": 4 for folder in "xyz"}
    assert len(read(path, {f"b/{inner}::a/y"})) == 4
    assert threading.active_count() == 1


def test_the_password_of_a_7z_file_of_large_members_is_tried_by_their_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gait.prepare.raw.archives.seven_file._TRIED_BYTES", 1000)
    noise = np.random.default_rng(0)
    inner = tar({f"a/{number}.png": noise.bytes(10**6) for number in range(3)})
    (tmp_path / "1.7z").write_bytes(seven({"1.tar": inner}, PASSWORD))
    (tmp_path / "password.txt").write_text("wrong")
    with pytest.raises(DataError, match=r"does not open with the password in password\.txt"):
        contents_of(tmp_path / "1.7z")
    (tmp_path / "password.txt").write_text(PASSWORD)
    assert images_of(contents_of(tmp_path / "1.7z")) == {"1.tar::a": 3}


def test_the_older_encryption_of_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "old.zip"
    path.write_bytes(base64.b64decode(OLD_ENCRYPTION))
    (tmp_path / "old.zip.password").write_text("secret")
    assert read(path, {"a/x"}) == {"a/x/1.png": (b"old encryption" * 30, "")}
    (tmp_path / "old.zip.password").write_text("wrong")
    with pytest.raises(DataError, match=r"does not open with the password in old\.zip\.password"):
        contents_of(path)


def test_slow_decryption_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.zip").write_bytes(base64.b64decode(OLD_ENCRYPTION))
    (tmp_path / "password.txt").write_text("secret")
    contents_of(tmp_path / "old.zip")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("gait.prepare.raw.archives.zips._LONG_BYTES", 10)
    contents_of(tmp_path / "old.zip")
    assert "old.zip: decrypting its 0 GiB takes 0.0 hours or so" in capsys.readouterr().err


def test_a_password_that_is_not_needed_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "1.zip").write_bytes(zipped(TREE))
    (tmp_path / "password.txt").mkdir()
    assert images_of(contents_of(tmp_path / "1.zip"))


def test_one_damaged_member_does_not_speak_against_the_password(tmp_path: Path) -> None:
    data = bytearray(zipped(TREE, PASSWORD))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        first, *_ = archive.infolist()
    data[first.header_offset + 70] ^= 0xFF
    (tmp_path / "1.zip").write_bytes(data)
    (tmp_path / "password.txt").write_text(PASSWORD)
    found = read(tmp_path / "1.zip", {"a/x"})
    assert found.pop("a/x/0.png") == (b"", "damaged in the archive")
    assert all(not problem for _, problem in found.values())


@pytest.mark.parametrize(("name", "module"), [("1.7z", "py7zr"), ("1.zip", "pyzipper")])
def test_a_missing_library_names_the_extra(
    tmp_path: Path, name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(ENCRYPTED[name](TREE))
    (tmp_path / "password.txt").write_text(PASSWORD)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[archives\]"):
        contents_of(tmp_path / name)
