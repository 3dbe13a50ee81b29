"""A raw tree is scanned once: until one of its files changes, what was found is remembered."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gait.config.load import load_dataset
from gait.prepare.catalogue import remembered
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.remembered import remembered_scan
from gait.prepare.catalogue.scan import scan
from gait.prepare.catalogue.shards import rearrange
from gait.prepare.check import check
from tests.raw_archives import tar
from tests.raw_trees import lay

REPOSITORY = Path(__file__).parents[2]
FORM = RawForm(["casia_b_silhouettes"])
FIRST = "001/nm-01/090"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    frames = {f"{FIRST}/{each:03d}.png": b"frame" for each in range(3)}
    archived = {f"002/bg-01/018/{number}.png": b"other" for number in range(4)}
    lay(
        tmp_path / "raw",
        {**frames, "002.tar.gz": tar(archived, compressed=True), "001/notes.txt": b""},
    )
    return tmp_path


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The raw folders that were scanned, one entry per scan."""
    scanned: list[Path] = []

    def counted(raw: Path, form: RawForm, root: Path | None = None) -> object:
        scanned.append(raw)
        return scan(raw, form, root)

    monkeypatch.setattr(remembered, "scan", counted)
    return scanned


def test_a_second_look_scans_nothing_and_finds_the_same(root: Path, scans: list[Path]) -> None:
    first = remembered_scan(root / "raw", FORM, root)
    second = remembered_scan(root / "raw", FORM, root)
    assert first == second == scan(root / "raw", FORM)
    assert len(first.rows) == 2 and len(first.frames) == 1 and first.ignored
    assert len(scans) == 1


def _replace(raw: Path) -> None:
    other = raw.parent / "other.png"
    other.write_bytes(b"FRAME")
    os.utime(other, ns=(0, 1_500_000_000_000_000_000))
    other.replace(raw / FIRST / "001.png")


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda raw: (raw / FIRST / "003.png").write_bytes(b"frame"),
    "removed": lambda raw: (raw / FIRST / "001.png").unlink(),
    "replaced": _replace,
    "rewritten": lambda raw: (raw / FIRST / "001.png").write_bytes(b"longer frame"),
    "touched": lambda raw: os.utime(raw / FIRST / "001.png"),
    "renamed": lambda raw: (raw / FIRST / "001.png").rename(raw / FIRST / "007.png"),
    "another folder": lambda raw: lay(raw, {"001/nm-02/090/1.png": b"frame"}),
    "an archive touched": lambda raw: os.utime(raw / "002.tar.gz", (1, 1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(root: Path, scans: list[Path], change: str) -> None:
    before = remembered_scan(root / "raw", FORM, root)
    CHANGES[change](root / "raw")
    after = remembered_scan(root / "raw", FORM, root)
    assert len(scans) == 2
    assert after.rows != before.rows and after == scan(root / "raw", FORM)


def test_another_form_is_scanned_for(root: Path, scans: list[Path]) -> None:
    remembered_scan(root / "raw", FORM, root)
    remembered_scan(root / "raw", RawForm(FORM.layouts, files={"smpl": "{folder}/*.npz"}), root)
    remembered_scan(root / "raw", RawForm(FORM.layouts, pkl="pose"), root)
    assert len(scans) == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", None])
def test_a_damaged_record_costs_a_scan(
    root: Path, scans: list[Path], content: bytes | None
) -> None:
    first = remembered_scan(root / "raw", FORM, root)
    record = root / "journal/scan.json"
    record.write_bytes(record.read_bytes().replace(b"nm", b"cl") if content is None else content)
    assert remembered_scan(root / "raw", FORM, root) == first
    assert len(scans) == 2
    assert remembered_scan(root / "raw", FORM, root) == first and len(scans) == 2


def test_a_folder_that_cannot_be_written_costs_a_scan_each_time(
    root: Path, scans: list[Path]
) -> None:
    (root / "journal").write_text("in the way")
    assert remembered_scan(root / "raw", FORM, root) == remembered_scan(root / "raw", FORM, root)
    assert len(scans) == 2


def test_check_and_every_shard_know_it_from_the_first(root: Path, scans: list[Path]) -> None:
    definition, _ = load_dataset(REPOSITORY, "CASIA-B")
    check(root, definition)
    for number in (1, 2, 3):
        shard = root / f"shards/{number}-of-3.csv"
        rearrange(root / "raw", RawForm.of(definition), shard, number, 3)
    assert len(scans) == 1
