"""What a further run of the pretreatment does again, leaves alone, and survives."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.manifest import lines_text, read_lines
from gait.formats.pickles import writer
from gait.formats.pkl import read_pkl, write_pkl
from gait.formats.seal import sidecar
from gait.prepare.sequences import one_sequence
from gait.prepare.silhouettes.align import align
from gait.prepare.silhouettes.resize import resize, resize_bicubic
from tests.unit.pretreated import EMPTY, Shard, small_shard, walker


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return small_shard(tmp_path)


def test_a_second_run_does_nothing(shard: Shard) -> None:
    shard.run()
    before = shard.output.read_bytes()
    # As the workflow does before it runs the rule again; nor are the raw images looked at.
    shard.output.unlink()
    shutil.rmtree(shard.root / "raw")
    idle = shard.run()
    assert (idle.sequences, idle.unchanged, idle.frames_done) == (3, 3, 0)
    assert (idle.frames_read, idle.frames_kept) == (19, 19)
    assert "frames/s" not in str(idle)
    assert shard.output.read_bytes() == before


def test_only_what_changed_is_done_again(shard: Shard) -> None:
    shard.run()
    shard.add("001/nm-01/090", [walker(step) for step in range(4, 9)], "b2")
    summary = shard.run()
    assert summary.unchanged == 2
    assert shard.manifest()["001/nm-01/090"].frames_kept == 5
    assert shard.run().unchanged == 3


def test_other_settings_do_everything_again(shard: Shard) -> None:
    shard.run()
    assert shard.run(size_px=128).unchanged == 0
    assert read_pkl(shard.root / "pkl/001/nm-01/000/000.pkl").shape == (6, 128, 128)


def test_another_order_or_kind_does_everything_again(shard: Shard) -> None:
    shard.add("001/nm-01/000", [walker(step) for step in range(6)], "a")
    folder = shard.root / "raw/001/nm-01/000"
    (folder / "000.png").rename(folder / "1000.png")
    (folder / "001.png").rename(folder / "01001.png")
    lexical, by_number = [*map(walker, (2, 3, 4, 5, 1, 0))], [*map(walker, (2, 3, 4, 5, 0, 1))]
    wanted = {
        ("normalise", "natural"): align(by_number, 64).frames,
        ("normalise", "lexical"): align(lexical, 64).frames,
        ("resize", "natural"): resize(by_number, 64).frames,
        ("resize_bicubic", "natural"): resize_bicubic(by_number, 64).frames,
    }
    for (kind, order), frames in wanted.items():
        summary = shard.run(kind=kind, frame_order=order)
        assert summary.unchanged == 0
        stored = read_pkl(shard.root / "pkl/001/nm-01/000/000.pkl")
        np.testing.assert_array_equal(stored, frames)
        assert shard.run(kind=kind, frame_order=order).unchanged == 3


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"broken")])
def test_a_lost_or_altered_pkl_is_made_again(shard: Shard, harm: Callable[[Path], None]) -> None:
    shard.run()
    before = shard.pkl_files()
    harm(shard.root / "pkl/001/nm-01/090/090.pkl")
    assert shard.run().unchanged == 2
    assert shard.pkl_files() == before


def test_a_pkl_of_the_same_content_is_not_rewritten(shard: Shard) -> None:
    shard.run()
    shutil.rmtree(shard.root / "journal")
    shard.add("002/nm-01/000", [walker(step) for step in range(9)], "c2")
    shard.age()
    assert shard.run().unchanged == 0
    assert shard.written() == {"002/nm-01/000"}


def test_a_damaged_journal_costs_time_only(shard: Shard) -> None:
    shard.run()
    before = shard.output.read_bytes()
    (shard.root / "journal/pretreat/001.csv").write_bytes(b"subject\n\xff")
    assert shard.run().unchanged == 1
    assert shard.output.read_bytes() == before


def test_a_journal_of_a_former_version_is_taken(shard: Shard) -> None:
    shard.run()
    for path in (shard.root / "journal/pretreat").glob("*.csv"):
        sidecar(path).unlink()
        lines = read_lines(path, ["guessed"])
        former = [name for name in lines[0] if name != "guessed"]
        path.write_text(
            lines_text(former, ({name: line[name] for name in former} for line in lines))
        )
    assert shard.run().unchanged == 3


def test_nothing_stale_stays_in_the_tree(shard: Shard) -> None:
    shard.run()
    shard.remove("001/nm-01/000")
    shard.add("002/nm-01/000", [EMPTY], "c2")
    summary = shard.run()
    assert (summary.sequences, summary.unchanged, summary.empty) == (2, 1, 1)
    assert list(shard.pkl_files()) == ["pkl/001/nm-01/090/090.pkl"]
    assert not (shard.root / "pkl/002").exists()
    assert shard.run().unchanged == 2


def test_an_interrupted_run_continues(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    shard.add("003/nm-01/000", [walker(step) for step in range(8)], "d")
    shard.add("003/nm-01/090", [walker(step) for step in range(8, 15)], "e")
    shard.run()
    wanted, table = shard.pkl_files(), shard.output.read_bytes()
    for folder in ("pkl", "journal"):
        shutil.rmtree(shard.root / folder)
    shard.output.unlink()
    written: list[Path] = []

    def killed(path: Path, frames: NDArray[np.uint8], modality: str) -> bool:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(path)
        return write_pkl(path, frames, modality)

    with monkeypatch.context() as patched:
        patched.setattr(one_sequence, "write_pkl", killed)
        with pytest.raises(KeyboardInterrupt):
            shard.run()
    assert not shard.output.exists()
    assert sorted(path.stem for path in (shard.root / "journal").rglob("*.csv")) == ["001", "002"]
    shard.age()
    (shard.root / "journal").rename(shard.root / "aside")
    assert shard.run().unchanged == 0
    # What was whole before the interruption is found identical and stays.
    assert shard.written() == {"003/nm-01/090"}
    assert (shard.pkl_files(), shard.output.read_bytes()) == (wanted, table)


def test_subjects_finished_before_an_interruption_are_skipped(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, frames: NDArray[np.uint8], modality: str) -> bool:
        if "002" in path.parts:
            raise KeyboardInterrupt
        return write_pkl(path, frames, modality)

    with monkeypatch.context() as patched:
        patched.setattr(one_sequence, "write_pkl", killed)
        with pytest.raises(KeyboardInterrupt):
            shard.run()
    assert shard.run().unchanged == 2


def test_a_full_disk_is_told_and_nothing_is_lost(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard.run()
    before, table = shard.pkl_files(), shard.output.read_bytes()
    shard.add("001/nm-01/090", [walker(9)], "b2")

    def full(array: NDArray[np.uint8]) -> Iterator[bytes]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield b""

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_pieces", full)
        with pytest.raises(DataError, match=r"090.pkl: cannot be written \(No space left"):
            shard.run()
    assert (shard.pkl_files(), shard.output.read_bytes()) == (before, table)
    assert shard.run().unchanged == 2
