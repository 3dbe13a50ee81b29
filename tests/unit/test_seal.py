"""Files of ours carry digests: nothing of them changes without being noticed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gait.errors import CheckpointError, DataError
from gait.formats.seal import (
    check_yaml_seal,
    check_zip_seal,
    read_line,
    read_sealed_json,
    read_sealed_table,
    remove_sealed_table,
    seal_zip,
    sealed_json,
    sealed_line,
    sealed_yaml,
    sidecar,
    write_sealed_table,
)

REMEDY = "make it again with `gait embed`"
MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4)


def npz(folder: Path) -> Path:
    path = folder / "embeddings.npz"
    np.savez(path, embeddings=MATRIX)
    seal_zip(path)
    return path


def weights(folder: Path) -> Path:
    path = folder / "model.pt"
    torch.save({"weight": torch.from_numpy(MATRIX), "count": 3}, path)
    seal_zip(path)
    return path


def metrics(folder: Path) -> Path:
    path = folder / "metrics.json"
    path.write_text(sealed_json({"rank-1": 0.5, "name": "größe"}), encoding="utf-8")
    return path


def table(folder: Path) -> Path:
    path = folder / "table.csv"
    write_sealed_table(path, "subject,frames\n001,5\n")
    return path


def settings(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(sealed_yaml("learning_rate: 0.1\n"), encoding="utf-8")
    return path


KINDS: list[tuple[Callable[[Path], Path], Callable[[Path], object]]] = [
    (npz, lambda path: check_zip_seal(path, REMEDY)),
    (weights, lambda path: check_zip_seal(path, REMEDY)),
    (metrics, lambda path: read_sealed_json(path, REMEDY)),
    (table, lambda path: read_sealed_table(path, REMEDY)),
]


@pytest.mark.parametrize(("make", "check"), KINDS, ids=lambda each: each.__name__)
def test_every_flipped_bit_and_every_cut_is_noticed(
    make: Callable[[Path], Path], check: Callable[[Path], object], tmp_path: Path
) -> None:
    path = make(tmp_path)
    check(path)
    whole = path.read_bytes()
    generator = random.Random(1)
    for _ in range(400):
        damaged = bytearray(whole)
        position = generator.randrange(8 * len(whole))
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=f"(?s){path.name}: .*gait embed"):
            check(path)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=path.name):
            check(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(DataError, match=path.name):
        check(path)


def test_a_sealed_archive_reads_as_before(tmp_path: Path) -> None:
    with np.load(npz(tmp_path)) as read:
        assert np.array_equal(read["embeddings"], MATRIX)
    for mapped in (False, True):
        read = torch.load(weights(tmp_path), weights_only=True, mmap=mapped)
        assert np.array_equal(read["weight"].numpy(), MATRIX)


def test_a_sealed_archive_of_nothing_reads_as_before(tmp_path: Path) -> None:
    np.savez(tmp_path / "empty.npz")
    seal_zip(tmp_path / "empty.npz")
    check_zip_seal(tmp_path / "empty.npz", REMEDY)
    with np.load(tmp_path / "empty.npz") as read:
        assert not read.files


def test_what_is_sealed_twice_or_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without a comment"):
        seal_zip(npz(tmp_path))
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ValueError, match="zip archive"):
        seal_zip(tmp_path / "text")


def test_an_archive_without_a_digest_is_refused_as_the_caller_says(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", embeddings=MATRIX)
    with pytest.raises(CheckpointError, match=r"plain.npz: carries no digest"):
        check_zip_seal(tmp_path / "plain.npz", REMEDY, CheckpointError)
    with pytest.raises(DataError, match="cannot be read"):
        check_zip_seal(tmp_path / "absent.npz", REMEDY)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("data", [{}, {"a": [1, {"sha256": "x"}], "ß": None}])
def test_sealed_json_gives_back_what_was_written(
    data: dict[str, object], indent: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    path.write_text(sealed_json(data, indent), encoding="utf-8")
    assert read_sealed_json(path, REMEDY) == data
    assert list(json.loads(path.read_bytes()))[-1] == "sha256"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' + "[" * 100_000 + "]" * 100_000,
        '{"a": ' + "9" * 5000,
        '{"a": NaN',
        '{"a": 1e999',
        "[",
    ],
)
def test_json_is_read_within_bounds_whoever_sealed_it(text: str, tmp_path: Path) -> None:
    import hashlib

    text += ",\n "
    path = tmp_path / "record.json"
    path.write_text(text + f'"sha256": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n')
    with pytest.raises(DataError, match=r"record.json: cannot be used .*gait embed"):
        read_sealed_json(path, REMEDY)


def test_json_larger_than_the_bound_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIT_MAX_JSON_BYTES", "20")
    with pytest.raises(DataError, match="GAIT_MAX_JSON_BYTES"):
        read_sealed_json(metrics(tmp_path), REMEDY)


def test_a_line_of_json_carries_its_checksum() -> None:
    line = sealed_line({"iteration": 3, "loss": 0.1, "note": 'a, "crc32": "b"}'})
    assert read_line(line) == {"iteration": 3, "loss": 0.1, "note": 'a, "crc32": "b"}'}
    assert line.endswith("\n")
    assert list(json.loads(line))[-1] == "crc32"
    for position in range(8 * len(line) - 8):
        damaged = bytearray(line.encode())
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(ValueError, match=r"checksum|expected"):
            read_line(damaged.decode("latin-1"))


def test_yaml_is_checked_where_it_carries_a_digest(tmp_path: Path) -> None:
    path = settings(tmp_path)
    whole = path.read_bytes()
    check_yaml_seal(path, whole, REMEDY)
    check_yaml_seal(path, b"learning_rate: 0.2\n", REMEDY)
    for damaged in (whole.replace(b"0.1", b"0.2"), whole + b"a: 1\n", whole[:-2] + b"_\n"):
        with pytest.raises(DataError, match=r"config.yaml: differs .*gait embed"):
            check_yaml_seal(path, damaged, REMEDY)


def test_the_digest_of_a_table_is_what_sha256sum_reads(tmp_path: Path) -> None:
    write_sealed_table(tmp_path / "odd \\ name\n.csv", "a\n1\n")
    table(tmp_path)
    for beside in tmp_path.glob("*.sha256"):
        subprocess.run(["sha256sum", "--check", "--strict", beside.name], cwd=tmp_path, check=True)


def test_a_table_that_stays_keeps_its_time_and_gets_its_digest_back(tmp_path: Path) -> None:
    path = table(tmp_path)
    before = path.stat().st_mtime_ns
    whole = sidecar(path).read_bytes()
    time.sleep(0.01)
    for damage in (lambda: sidecar(path).unlink(), lambda: sidecar(path).write_text("x")):
        damage()
        assert not write_sealed_table(path, path.read_text())
        assert sidecar(path).read_bytes() == whole
    assert path.stat().st_mtime_ns == before
    assert write_sealed_table(path, "subject,frames\n001,6\n")
    read_sealed_table(path, REMEDY)


def test_a_table_that_could_not_be_written_whole_has_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(tmp_path)

    def full(*_: object) -> None:
        raise DataError("the disk is full")

    monkeypatch.setattr("gait.formats.seal.write_if_changed", full)
    with pytest.raises(DataError):
        write_sealed_table(path, "subject,frames\n001,6\n")
    assert not sidecar(path).exists()


def test_a_table_without_a_digest_may_be_anybodys(tmp_path: Path) -> None:
    path = table(tmp_path)
    shutil.copy(path, tmp_path / "own.csv")
    assert read_sealed_table(tmp_path / "own.csv", REMEDY) == path.read_bytes()


def test_a_digest_goes_with_its_table(tmp_path: Path) -> None:
    path = table(tmp_path)
    remove_sealed_table(path)
    assert not list(tmp_path.iterdir())
    remove_sealed_table(path)
