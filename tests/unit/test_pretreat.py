"""The pretreatment of a shard: what it writes, counts, leaves alone, and survives."""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.cli.prepare import Joints, Kind
from gait.config.dataset import Pretreat
from gait.errors import DataError
from gait.formats.catalogue import CatalogueRow, RowKind, rows_text
from gait.formats.manifest import ManifestRow, read_manifest, read_table, table_text
from gait.formats.pickles import writer
from gait.formats.pkl import read_pkl, write_pkl
from gait.formats.source import File, parse_source
from gait.prepare.modalities.joints import JOINTS, to_coco
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from gait.prepare.modalities.video_poses import save_pose
from gait.prepare.sequences import blocks, one_sequence
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.align import CCPG, align
from gait.prepare.silhouettes.masks import save_masks
from gait.prepare.silhouettes.resize import resize, resize_bicubic
from gait.prepare.summary import ShardSummary
from gait.seal import sidecar
from gait.types import SequenceKey


def walker(step: int) -> NDArray[np.uint8]:
    frame = np.zeros((60, 80), np.uint8)
    cv2.ellipse(frame, (20 + step, 30), (6 + step % 4, 25), 0, 0, 360, 255, -1)
    return frame


EMPTY = np.zeros((60, 80), np.uint8)


@dataclass
class Shard:
    """A dataset of one shard under construction."""

    root: Path
    rows: dict[SequenceKey, CatalogueRow]

    @property
    def table(self) -> Path:
        return self.root / "shards" / "1-of-1.csv"

    @property
    def output(self) -> Path:
        return self.root / "shards" / "1-of-1.pkl.csv"

    def add(self, name: str, frames: list[NDArray[np.uint8] | bytes], fingerprint: str) -> None:
        """A sequence of PNG files; bytes are written as they are."""
        key = SequenceKey(*name.split("/"))
        folder = self.root / "raw" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for number, frame in enumerate(frames):
            path = folder / f"{number:03d}.png"
            if isinstance(frame, bytes):
                path.write_bytes(frame)
            else:
                assert cv2.imwrite(str(path), frame)
        self.rows[key] = CatalogueRow(key, RowKind.IMAGES, parse_source(name), "", fingerprint)
        self.write()

    def remove(self, name: str) -> None:
        del self.rows[SequenceKey(*name.split("/"))]
        self.write()

    def write(self) -> None:
        self.table.parent.mkdir(exist_ok=True)
        self.table.write_text(rows_text(self.rows[key] for key in sorted(self.rows)))

    def run(self, size_px: int = 64, **settings: Any) -> ShardSummary:
        rules = Pretreat(size_px=size_px, **settings)
        return pretreat_shard(self.table, self.root / "raw", self.root, self.output, rules)

    def manifest(self) -> dict[str, ManifestRow]:
        return {str(row.key): row for row in read_manifest(self.output)}

    def pkl_files(self) -> dict[str, bytes]:
        """Everything below pkl/, by path."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted((self.root / "pkl").rglob("*"))
            if path.is_file()
        }

    def age(self) -> None:
        """Set every pkl's modification time back, as a sign of not having been written since."""
        for path in (self.root / "pkl").rglob("*.pkl"):
            os.utime(path, ns=(10**18, 10**18))

    def written(self) -> set[str]:
        """The sequences whose pkl was written since `age`."""
        return {
            path.parent.relative_to(self.root / "pkl").as_posix()
            for path in (self.root / "pkl").rglob("*.pkl")
            if path.stat().st_mtime_ns != 10**18
        }


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    made = Shard(tmp_path, {})
    made.add("001/nm-01/000", [walker(step) for step in range(6)], "a")
    made.add("001/nm-01/090", [walker(step) for step in range(3, 10)], "b")
    made.add("002/nm-01/000", [walker(step) for step in range(2, 8)], "c")
    return made


def test_every_frame_is_accounted_for(shard: Shard) -> None:
    broken = cv2.imencode(".png", walker(0))[1].tobytes()[:60]
    faint = walker(1) // 255
    shard.add("003/bg-01/000", [walker(0), EMPTY, broken, b"", faint, walker(5)], "d")
    shard.add("003/bg-01/090", [EMPTY, EMPTY], "e")
    summary = shard.run()
    rows = shard.manifest()
    row = rows["003/bg-01/000"]
    assert (row.frames_read, row.frames_kept) == (6, 2)
    assert row.dropped == {
        "too few pixels": 1,
        "unreadable": 2,
        "values 0/1 instead of 0/255": 1,
    }
    assert len(read_pkl(shard.root / row.pkl)) == 2
    assert row.pkl == "pkl/003/bg-01/000/000.pkl"
    empty = rows["003/bg-01/090"]
    assert (empty.pkl, empty.sha256, empty.frames_read) == ("", "", 2)
    assert empty.dropped == {"too few pixels": 2}
    assert not (shard.root / "pkl" / "003" / "bg-01" / "090").exists()
    assert [row.fingerprint for row in rows.values()] == ["a", "b", "c", "d", "e"]
    assert str(summary).startswith(
        "5 sequences (0 unchanged); 21 of 27 frames kept; "
        "dropped: 3 too few pixels, 2 unreadable, 1 values 0/1 instead of 0/255; "
        "1 sequences without a usable frame; 1 with fewer than 5 frames; "
    )
    assert str(summary).endswith("frames/s")


@pytest.mark.parametrize("table", ["images", "masks"])
def test_a_sequence_that_is_listed_twice_is_refused(shard: Shard, table: str) -> None:
    shard.run()
    if table == "masks":
        shard.table.write_text(
            "subject,condition,view,silhouettes,frames_read,dropped,fingerprint\n"
            + 2 * "001,nm-01,000,,3,,f\n"
        )
    else:
        lines = shard.table.read_text().splitlines(keepends=True)
        shard.table.write_text("".join([*lines, lines[1]]))
    shard.table.with_name(f"{shard.table.name}.sha256").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"1-of-1.csv: lists the sequence 001/\S+ more than once"):
        shard.run()


def test_the_pkl_tree_holds_nothing_but_pkl_files(shard: Shard) -> None:
    shard.run()
    assert list(shard.pkl_files()) == [
        "pkl/001/nm-01/000/000.pkl",
        "pkl/001/nm-01/090/090.pkl",
        "pkl/002/nm-01/000/000.pkl",
    ]


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


def test_a_kind_has_one_name_everywhere() -> None:
    in_datasets = get_args(Pretreat.model_fields["kind"].annotation)
    assert set(in_datasets) == set(Kind) == set(one_sequence.KINDS)
    joints, without = get_args(Pretreat.model_fields["joints"].annotation)
    assert {*get_args(joints), None} == {*Joints, None} == set(JOINTS)
    assert without is type(None)


def test_silhouettes_of_ccpg_are_aligned_as_published() -> None:
    # Too few pixels for any other dataset.
    faint = np.zeros((20, 12), np.uint8)
    faint[4:16, 5:7] = 255
    published = align([faint], 64, CCPG)
    assert len(published.frames) == 1 and not len(align([faint], 64).frames)
    made = one_sequence.KINDS["ccpg"]([faint], 64)
    np.testing.assert_array_equal(made.frames, published.frames)


def test_frames_taken_as_they_are_have_one_size(shard: Shard) -> None:
    images = [np.full((64, 64), value, np.uint8) for value in (0, 1, 255)]
    shard.add("003/nm-01/000", [images[0], walker(0), *images[1:]], "d")
    shard.run(kind="as_is")
    rows = shard.manifest()
    # Nothing but the size is looked at: black frames stay.
    np.testing.assert_array_equal(
        read_pkl(shard.root / rows["003/nm-01/000"].pkl), np.stack(images)
    )
    assert rows["003/nm-01/000"].dropped == {"not 64 x 64 px": 1}
    assert (rows["001/nm-01/000"].pkl, rows["001/nm-01/000"].dropped) == (
        "",
        {"not 64 x 64 px": 6},
    )


def test_short_sequences_may_be_dropped_whole(shard: Shard) -> None:
    shard.add("003/nm-01/000", [walker(step) for step in range(7)] + [EMPTY], "d")
    summary = shard.run(min_frames=7)
    rows = shard.manifest()
    assert rows["001/nm-01/000"].dropped == {"sequence of fewer than 7 frames": 6}
    assert (rows["003/nm-01/000"].frames_kept, rows["001/nm-01/090"].frames_kept) == (7, 7)
    assert summary.empty == 2


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
        lines = read_table(path, ["guessed"])
        former = [name for name in lines[0] if name != "guessed"]
        path.write_text(
            table_text(former, ({name: line[name] for name in former} for line in lines))
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


def test_long_sequences_are_read_in_blocks(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[NDArray[np.uint8] | bytes] = [walker(step) for step in range(9)]
    shard.add("003/nm-01/000", [*frames[:4], b"", EMPTY, *frames[4:]], "d")
    shard.run()
    whole, table = shard.pkl_files(), shard.output.read_bytes()
    shutil.rmtree(shard.root / "journal")
    shutil.rmtree(shard.root / "pkl")
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * walker(0).nbytes)
    shard.run()
    assert (shard.pkl_files(), shard.output.read_bytes()) == (whole, table)


def test_a_video_is_not_taken_for_images(shard: Shard) -> None:
    key = SequenceKey("004", "nm-01", "000")
    shard.rows[key] = CatalogueRow(key, RowKind.VIDEO, File("004-nm-01-000.avi"), "", "f")
    shard.write()
    with pytest.raises(DataError, match=r"got the video 004-nm-01-000.avi; extract"):
        shard.run()


def test_a_shard_of_nobody_gives_an_empty_manifest(shard: Shard) -> None:
    shard.rows.clear()
    shard.write()
    assert shard.run().sequences == 0
    assert shard.manifest() == {}


# From masks.

COLUMNS = (
    "subject",
    "condition",
    "view",
    "silhouettes",
    "frames_read",
    "frames_kept",
    "dropped",
    "fingerprint",
)


def table_of_masks(root: Path, **changes: dict[str, str]) -> Path:
    """Two videos, one of them without a walker."""
    frames = np.stack([walker(0), walker(1), EMPTY, walker(2), walker(3)])
    masks = root / "silhouettes" / "001" / "nm-01" / "090.npz"
    if not masks.exists():
        save_masks(masks, frames, np.arange(3, 8, dtype=np.int32), "x")
    lines = [
        ("001", "nm-01", "000", "", "4", "0", "no walker:4", "g"),
        ("001", "nm-01", "090", "silhouettes/001/nm-01/090.npz", "9", "5", "no walker:4", "h"),
    ]
    path = root / "shards" / "1-of-1.silhouettes.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for line in lines:
            values = dict(zip(COLUMNS, line, strict=True))
            writer.writerow(values | changes.get(values["view"], {}))
    return path


def run_masks(
    root: Path, table: Path, **settings: Any
) -> tuple[ShardSummary, dict[str, ManifestRow]]:
    output = root / "shards" / "1-of-1.pkl.csv"
    summary = pretreat_shard(table, root / "raw", root, output, Pretreat(**settings))
    rows = [row for row in read_manifest(output) if row.modality == "silhouettes"]
    return summary, {row.key.view: row for row in rows}


def test_masks_carry_the_drops_of_their_video(tmp_path: Path) -> None:
    summary, rows = run_masks(tmp_path, table_of_masks(tmp_path))
    assert (rows["090"].frames_read, rows["090"].frames_kept) == (9, 4)
    assert rows["090"].dropped == {"no walker": 4, "too few pixels": 1}
    assert (rows["000"].pkl, rows["000"].frames_read) == ("", 4)
    assert rows["000"].dropped == {"no walker": 4}
    assert (summary.frames_read, summary.frames_kept, summary.empty) == (13, 4, 1)
    assert summary.dropped == {"no walker": 8, "too few pixels": 1}


def test_masks_equal_the_images_they_hold(tmp_path: Path, shard: Shard) -> None:
    shard.add("001/nm-01/090", [walker(0), walker(1), EMPTY, walker(2), walker(3)], "b")
    shard.run()
    from_images = shard.manifest()["001/nm-01/090"].sha256
    _, rows = run_masks(tmp_path, table_of_masks(tmp_path))
    assert rows["090"].sha256 == from_images


def test_unchanged_masks_are_skipped_and_changed_ones_done(tmp_path: Path) -> None:
    table = table_of_masks(tmp_path)
    run_masks(tmp_path, table)
    assert run_masks(tmp_path, table)[0].unchanged == 2
    masks = tmp_path / "silhouettes/001/nm-01/090.npz"
    save_masks(masks, np.stack([walker(7)] * 6), np.arange(6, dtype=np.int32), "y")
    summary, rows = run_masks(tmp_path, table)
    assert summary.unchanged == 1
    assert rows["090"].frames_kept == 6


def test_masks_that_vanish_take_their_pkl_along(tmp_path: Path) -> None:
    run_masks(tmp_path, table_of_masks(tmp_path))
    gone = {"silhouettes": "", "frames_kept": "0", "dropped": "no walker:9"}
    _, rows = run_masks(tmp_path, table_of_masks(tmp_path, **{"090": gone}))
    assert rows["090"].pkl == ""
    assert not list((tmp_path / "pkl").rglob("*.pkl"))


def test_masks_are_aligned_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of_masks(tmp_path)
    whole = run_masks(tmp_path, table)[1]["090"].sha256
    shutil.rmtree(tmp_path / "journal")
    seen: list[int] = []
    align_all = one_sequence.KINDS["normalise"]

    def align_some(frames: Any, size_px: int) -> Any:
        seen.append(len(frames))
        return align_all(frames, size_px)

    monkeypatch.setitem(one_sequence.KINDS, "normalise", align_some)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * walker(0).nbytes)
    assert run_masks(tmp_path, table)[1]["090"].sha256 == whole
    assert seen == [2, 2, 1]


def test_damaged_masks_are_named_with_what_makes_them_again(tmp_path: Path) -> None:
    table = table_of_masks(tmp_path)
    masks = tmp_path / "silhouettes/001/nm-01/090.npz"
    content = bytearray(masks.read_bytes())
    content[99] ^= 4
    masks.write_bytes(content)
    with pytest.raises(DataError, match=r"090\.npz: is damaged.*; delete .*silhouettes\.csv and"):
        run_masks(tmp_path, table)
    assert not (tmp_path / "pkl").exists()


# With poses.


def joints(frames: int) -> NDArray[np.float32]:
    pose = np.random.default_rng(frames).uniform(1.0, 60.0, (frames, 17, 3)).astype(np.float32)
    pose[..., 2] = 0.9
    return pose


def table_with_pose(root: Path, pose: NDArray[np.float32] | bytes | None) -> Path:
    """The table of masks, whose second video of nine frames has a pose."""
    path = root / "raw" / "001-nm-01-090.pose.npz"
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    if isinstance(pose, bytes):
        path.write_bytes(pose)
    elif pose is not None:
        save_pose(path, pose)
    table = table_of_masks(root)
    lines = table.read_text().splitlines()
    names = ["pose", "", "" if pose is None else path.name]
    table.write_text("".join(f"{line},{each}\n" for line, each in zip(lines, names, strict=True)))
    return table


def modalities_of(root: Path) -> dict[str, ManifestRow]:
    rows = read_manifest(root / "shards" / "1-of-1.pkl.csv")
    return {row.modality: row for row in rows if row.key.view == "090"}


def test_a_pose_has_the_frames_that_its_silhouettes_have(tmp_path: Path) -> None:
    pose = joints(9)
    summary, _ = run_masks(tmp_path, table_with_pose(tmp_path, pose))
    rows = modalities_of(tmp_path)
    assert list(rows) == ["pose", "silhouettes", "skeleton_maps"]
    # Masks are of the frames 3 to 7, and the third of them is empty.
    kept = [3, 4, 6, 7]
    found = read_pkl(tmp_path / "pkl/001/nm-01/090/090-pose.pkl", "pose")
    np.testing.assert_array_equal(found, pose[kept])
    maps = read_pkl(tmp_path / "pkl/001/nm-01/090/090-skeleton_maps.pkl", "skeleton_maps")
    np.testing.assert_array_equal(maps, skeleton_maps(pose[kept], 64))
    assert {row.frames_kept for row in rows.values()} == {4}
    assert {row.frames_read for row in rows.values()} == {9}
    assert rows["pose"].sha256 == hashlib.sha256(pose[kept].tobytes()).hexdigest()
    assert all(row.dropped == {"no walker": 4, "too few pixels": 1} for row in rows.values())
    # Frames are counted once.
    assert (summary.frames_read, summary.frames_kept) == (13, 4)


def test_only_another_pose_does_its_sequence_again(tmp_path: Path) -> None:
    run_masks(tmp_path, table_with_pose(tmp_path, joints(9)))
    before = modalities_of(tmp_path)
    table = tmp_path / "shards" / "1-of-1.silhouettes.csv"
    assert run_masks(tmp_path, table)[0].unchanged == 2
    (tmp_path / "pkl/001/nm-01/090/090-pose.pkl").unlink()
    assert run_masks(tmp_path, table)[0].unchanged == 1
    assert modalities_of(tmp_path) == before
    assert run_masks(tmp_path, table_with_pose(tmp_path, joints(9) + 1))[0].unchanged == 1
    after = modalities_of(tmp_path)
    assert after["silhouettes"] == before["silhouettes"]
    assert after["pose"].sha256 != before["pose"].sha256


def test_other_joints_do_every_sequence_again(tmp_path: Path) -> None:
    pose = np.concatenate([joints(9), joints(9)[:, :1] / 2], axis=1)
    table = table_with_pose(tmp_path, pose)
    run_masks(tmp_path, table)
    before = modalities_of(tmp_path)["pose"].sha256
    assert run_masks(tmp_path, table)[0].unchanged == 2
    assert run_masks(tmp_path, table, joints="coco")[0].unchanged == 0
    found = read_pkl(tmp_path / "pkl/001/nm-01/090/090-pose.pkl", "pose")
    np.testing.assert_array_equal(found, to_coco(pose)[[3, 4, 6, 7]])
    assert modalities_of(tmp_path)["pose"].sha256 != before
    assert run_masks(tmp_path, table, joints="coco")[0].unchanged == 2


def test_a_pose_that_is_gone_takes_its_pkl_files_along(tmp_path: Path) -> None:
    run_masks(tmp_path, table_with_pose(tmp_path, joints(9)))
    assert run_masks(tmp_path, table_with_pose(tmp_path, None))[0].unchanged == 1
    assert list(modalities_of(tmp_path)) == ["silhouettes"]
    assert [path.name for path in (tmp_path / "pkl").rglob("*.pkl")] == ["090.pkl"]


@pytest.mark.parametrize(
    ("pose", "reason", "sentence"),
    [
        (joints(8), "pose of another length than the video", "9 frames of the video, got those"),
        (b"half", "unusable pose file", "expected float32"),
    ],
)
def test_a_pose_that_does_not_fit_is_told_until_it_is_mended(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pose: NDArray[np.float32] | bytes,
    reason: str,
    sentence: str,
) -> None:
    run_masks(tmp_path, table_with_pose(tmp_path, joints(9)))
    table = table_with_pose(tmp_path, pose)
    for _ in range(2):
        summary, _ = run_masks(tmp_path, table)
        assert (summary.unchanged, summary.empty) == (1, 2)
        assert f"4 {reason}" in str(summary)
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith("001/nm-01/090: ") and sentence in said
        rows = modalities_of(tmp_path)
        assert list(rows) == ["silhouettes"]
        assert (rows["silhouettes"].pkl, rows["silhouettes"].frames_kept) == ("", 0)
        assert rows["silhouettes"].dropped == {"no walker": 4, "too few pixels": 1, reason: 4}
        assert not list((tmp_path / "pkl").rglob("*.pkl"))
    assert run_masks(tmp_path, table_with_pose(tmp_path, joints(9)))[0].empty == 1
    assert run_masks(tmp_path, table)[0].unchanged == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"silhouettes": "../../secret.npz"}, "expected a path that stays below"),
        ({"silhouettes": "silhouettes/none.npz"}, "none.npz"),
        ({"dropped": "3 no walker"}, "sequence 001/nm-01/090: .*'3 no walker'"),
        ({"frames_read": "many"}, "sequence 001/nm-01/090: .*'many'"),
    ],
)
def test_a_damaged_table_of_masks_is_told(
    tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        run_masks(tmp_path, table_of_masks(tmp_path, **{"090": change}))
    assert not (tmp_path / "shards" / "1-of-1.pkl.csv").exists()
