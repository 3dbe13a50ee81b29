"""The pretreatment of masks that segmentation found, and of poses beside them."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.dataset import Pretreat
from gait.errors import DataError
from gait.formats.manifest import ManifestRow, read_manifest
from gait.formats.pkl import read_pkl
from gait.prepare.modalities.joints import to_coco
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from gait.prepare.modalities.video_poses import save_pose
from gait.prepare.sequences import blocks, one_sequence
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.masks import save_masks
from gait.prepare.summary import ShardSummary
from tests.unit.pretreated import EMPTY, Shard, small_shard, walker

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


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return small_shard(tmp_path)


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
