"""Datasets of poses as they are given out become packed stores: every name and every quirk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.modalities import POSE, SKELETON_MAPS
from gait.prepare.catalogue.available import modalities_of_raw
from gait.prepare.catalogue.materialise import materialise
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.check import check
from gait.prepare.modalities.joints import OPENPOSE_TO_COCO
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from gait.prepare.pack import pack
from gait.prepare.sequences.import_tree import manifest_of_tree
from gait.prepare.sequences.pretreat import pretreat_shard
from tests import raw_archives, raw_trees
from tests.raw_archives import zipped
from tests.raw_trees import ANOTHER, Joints, Tree, joints, lay
from tests.unit.published_trees import dataset, frames, modality, pkl_tree, prepared

GUESSED = {"walker of several people": 1}
NOBODY = {"nobody in the frame": 1}


def poses(root: Path, key: str) -> NDArray[np.float64]:
    found = modality(root, key, POSE)
    assert found.dtype == np.float64
    return np.asarray(found, np.float64)


def expected(who: int, steps: list[int], number: int = 18) -> Joints:
    return np.stack([joints(who, step, number) for step in steps])


def prepared_poses(root: Path, name: str) -> tuple[dict[str, int], dict[str, Any]]:
    """What was not used, and the manifest's rows of poses by key."""
    found, rows = prepared(root, name, files=dataset(name).files, lead=POSE)
    return found.ignored, rows


def test_oumvlp_pose_with_silhouettes_to_tell_the_walker(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_trees.oumvlp_pose() | raw_trees.oumvlp())
    ignored, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    assert ignored == {}
    assert len(rows) == 4 * 2 * 2 - 2
    assert {str(row.guessed) for row in rows.values()} == {"{}"}
    assert rows["00001/01/090"].dropped == NOBODY
    assert rows["00002/00/000"].dropped == NOBODY | {"unreadable pose": 1}
    np.testing.assert_array_equal(poses(tmp_path, "00001/01/090"), expected(1, [0, 1, 2, 4, 5]))
    np.testing.assert_array_equal(poses(tmp_path, "00002/00/000"), expected(2, [0, 1, 2, 5]))
    np.testing.assert_array_equal(
        modality(tmp_path, "00002/00/000", SKELETON_MAPS),
        skeleton_maps(expected(2, [0, 1, 2, 5]), 64),
    )
    assert np.load(tmp_path / "packed/pose.npy").shape[1:] == (18, 3)
    assert not (tmp_path / "packed/frames.npy").exists()


def test_oumvlp_pose_in_archives(tmp_path: Path) -> None:
    pose, silhouettes = raw_trees.oumvlp_pose(), raw_trees.oumvlp()
    secret = {"password.txt": raw_archives.PASSWORD.encode()}
    forms = [
        pose | silhouettes,
        {"OUMVLP_pose.zip": zipped(pose)} | raw_archives.oumvlp_archives(silhouettes) | secret,
        {"pose_alphapose.tar.gz": raw_archives.tar(pose, compressed=True)} | silhouettes,
    ]
    for number, form in enumerate(forms):
        lay(tmp_path / f"{number}/raw", form)
        ignored, rows = prepared_poses(tmp_path / str(number), "OUMVLP-Pose")
        assert ignored == {} and not any(row.guessed for row in rows.values())
        assert pkl_tree(tmp_path / str(number)) == pkl_tree(tmp_path / "0")
    # Of one archive, one sequence is looked at.
    (tmp_path / "1/raw/OUMVLP_pose.zip").unlink()
    lay(tmp_path / "1/raw", {"pose.zip": zipped(dict.fromkeys(pose, b"{"))})
    looked_at = {"poses that cannot be read, of 6 looked at": 6}
    assert findings(tmp_path / "1", "OUMVLP-Pose") == looked_at


def test_oumvlp_pose_alone_guesses_the_walker_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path / "raw/in/between", raw_trees.oumvlp_pose())
    ignored, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    assert ignored == {}
    assert all(row.guessed == GUESSED for row in rows.values())
    assert capsys.readouterr().err == ""
    first = expected(1, [0, 1, 2, 4, 5])
    first[2] += ANOTHER
    np.testing.assert_array_equal(poses(tmp_path, "00001/01/090"), first)
    tables = [tmp_path / f"shards/{number}-of-2.csv" for number in (1, 2)]
    outputs = [table.with_suffix(".pkl.csv") for table in tables]
    told = [
        str(pretreat_shard(table, tmp_path / "raw", tmp_path, output))
        for table, output in zip(tables, outputs, strict=True)
    ]
    assert "; guessed: 6 walker of several people" in told[0]
    assert "; guessed: 8 walker of several people" in told[1]
    summary = pack(outputs, tmp_path, tmp_path / "manifest.csv", tmp_path / "packed")
    assert "guessed in frames: 14 walker of several people" in str(summary)
    definition = dataset("OUMVLP-Pose")
    found = scan(tmp_path / "raw", RawForm(definition.layouts, files=definition.files))
    assert modalities_of_raw(found.rows) == {POSE, SKELETON_MAPS}


def test_a_broken_silhouette_tells_nothing(tmp_path: Path) -> None:
    tree = raw_trees.oumvlp_pose((1, 2)) | raw_trees.oumvlp((1, 2))
    del tree["Silhouette_000-00/00001/0005.png"]
    tree["Silhouette_000-00/00002/0005.png"] = b"no image"
    tree["Silhouette_000-01/00002/0005.png"] = b""
    lay(tmp_path / "raw", tree)
    _, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    told = {key for key, row in rows.items() if row.guessed}
    assert told == {"00001/00/000", "00002/00/000", "00002/01/000"}


def test_other_silhouettes_are_noticed(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_trees.oumvlp_pose())
    prepared_poses(tmp_path, "OUMVLP-Pose")
    lay(tmp_path / "raw", raw_trees.oumvlp())
    _, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    assert not any(row.guessed for row in rows.values())


def test_oumvlp_pose17_from_the_raw_folder_of_oumvlp_pose(tmp_path: Path) -> None:
    whole, picked = tmp_path / "OUMVLP-Pose", tmp_path / "OUMVLP-Pose17"
    lay(whole / "raw", raw_trees.oumvlp_pose() | raw_trees.oumvlp())
    prepared_poses(whole, "OUMVLP-Pose")
    picked.mkdir()
    (picked / "raw").symlink_to("../OUMVLP-Pose/raw")
    ignored, rows = prepared_poses(picked, "OUMVLP-Pose17")
    assert ignored == {}
    for key in rows:
        np.testing.assert_array_equal(
            poses(picked, key), poses(whole, key)[:, list(OPENPOSE_TO_COCO)]
        )
        np.testing.assert_array_equal(
            modality(picked, key, SKELETON_MAPS), modality(whole, key, SKELETON_MAPS)
        )
    assert np.load(picked / "packed/pose.npy").shape[1:] == (17, 3)


def test_poses_of_other_joints_cost_their_sequence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, number in (("00001/000_00", 21), ("00001/090_00", 18), ("00001/180_00", 25)):
        data = raw_trees.people(joints(1, 0, number))
        lay(tmp_path / "raw", {f"{folder}/{step:04d}.json": data for step in range(4)})
    _, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    assert rows["00001/00/000"].dropped == {"pose of other joints": 4}
    told = capsys.readouterr().err
    assert "sequence 00001/00/000: expected poses of 17 joints (COCO) or 18" in told
    assert [rows[key].frames_kept for key in sorted(rows)] == [0, 4, 4]
    assert poses(tmp_path, "00001/00/180").shape == (4, 18, 3)


def test_order_and_least_frames_hold_for_poses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {
        f"00001/{view}_00/f{9998 + step}.json": raw_trees.people(joints(1, step, 18))
        for view, number in (("000", 5), ("090", 3))
        for step in range(number)
    }
    lay(tmp_path / "raw", tree)
    _, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    # As published: f10000 comes before f9998.
    np.testing.assert_array_equal(poses(tmp_path, "00001/00/000"), expected(1, [2, 3, 4, 0, 1]))
    definition = dataset("OUMVLP-Pose")
    changed = definition.pretreat.model_copy(update={"frame_order": "natural", "min_frames": 4})
    monkeypatch.setattr(
        "tests.unit.published_trees.dataset",
        lambda name: definition.model_copy(update={"pretreat": changed}),
    )
    _, rows = prepared_poses(tmp_path, "OUMVLP-Pose")
    np.testing.assert_array_equal(poses(tmp_path, "00001/00/000"), expected(1, [0, 1, 2, 3, 4]))
    short = rows["00001/00/090"]
    assert (short.pkl, short.dropped) == ("", {"sequence of fewer than 4 frames": 3})


def test_poses_materialised(tmp_path: Path) -> None:
    tree = raw_trees.oumvlp_pose((1, 2))
    lay(tmp_path / "raw", tree | raw_trees.oumvlp((1, 2)))
    prepared_poses(tmp_path, "OUMVLP-Pose")
    materialise(tmp_path / "sequences.csv", tmp_path / "raw", tmp_path / "tree", "symlink")
    made = (tmp_path / "tree/00001/01/090/0004_keypoints.json").read_bytes()
    assert made == tree["00001/090_01/0004_keypoints.json"]


def test_grew_with_its_poses(tmp_path: Path) -> None:
    tree = raw_trees.grew()
    lay(tmp_path / "raw", tree)
    _, before = prepared(tmp_path, "GREW")
    alone = pkl_tree(tmp_path)
    ignored, rows = prepared_poses(tmp_path, "GREW")
    sequences = len(rows)
    assert ignored == {"other .png file": sequences, "other .txt file": 6 * sequences}
    made = pkl_tree(tmp_path)
    # Silhouettes are as they were; skeleton maps come by themselves.
    assert alone.items() < made.items() and len(made) == 3 * len(alone)
    assert {(row.frames_kept, str(row.dropped)) for row in rows.values()} == {(6, "{}")}
    key = "00002train/00/zQ3kA9b0"
    np.testing.assert_array_equal(poses(tmp_path, key), expected(2, list(range(6)), 17))
    assert before.keys() == rows.keys()


def test_grew_without_its_poses_is_as_before(tmp_path: Path) -> None:
    tree = {name: data for name, data in raw_trees.grew().items() if "2d_pose" not in name}
    for root, files in (("a", None), ("b", dataset("GREW").files)):
        lay(tmp_path / root / "raw", tree)
        prepared(tmp_path / root, "GREW", files=files)
    assert pkl_tree(tmp_path / "a") == pkl_tree(tmp_path / "b")


def test_a_frame_of_grew_without_its_pose_is_dropped(tmp_path: Path) -> None:
    tree = raw_trees.grew()
    folder = "train/00001/zQ3kA9b0"
    del tree[f"{folder}/00002_2d_pose.txt"]
    tree[f"{folder}/00003_2d_pose.txt"] = b"64,88,1,2"
    lay(tmp_path / "raw", tree)
    _, rows = prepared_poses(tmp_path, "GREW")
    key = "00001train/00/zQ3kA9b0"
    assert rows[key].dropped == {"no pose": 1, "unreadable pose": 1}
    assert len(frames(tmp_path, key)) == 4
    np.testing.assert_array_equal(poses(tmp_path, key), expected(1, [0, 3, 4, 5], 17))


def test_casia_b_pose(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_trees.casia_b_pose())
    ignored, rows = prepared_poses(tmp_path, "CASIA-B-Pose")
    assert ignored == {"other .txt file": 4 * 4 * 2}
    assert {(row.frames_kept, str(row.dropped)) for row in rows.values()} == {(6, "{}")}
    np.testing.assert_array_equal(
        poses(tmp_path, "075/nm-05/090"), expected(75, list(range(6)), 17)
    )
    findings = check(tmp_path, dataset("CASIA-B-Pose")).findings
    assert {each.kind: each.count for each in findings if "not used" in each.kind} == {
        "not used: other .txt file": 32
    }


def test_casia_b_pose_taken_over_as_it_is(tmp_path: Path) -> None:
    lay(tmp_path / "pkl", raw_trees.casia_b_pose())
    tree = manifest_of_tree(tmp_path, dataset("CASIA-B-Pose").pkl)
    assert {row.modality for row in tree.rows} == {POSE} and len(tree.rows) == 32
    assert tree.ignored == {"no pkl": 32}
    kinds = {each.kind for each in check(tmp_path, dataset("CASIA-B-Pose")).findings}
    assert "files that are no pkl" in kinds


SCOLIOSIS1K = ("00000/positive/000_180", "00001/neutral/000_180", "00002/negative/000_180")


@pytest.mark.parametrize("top", ["", "Scoliosis1K-pose-raw/", "a/b/"])
def test_scoliosis1k_poses_alone(tmp_path: Path, top: str) -> None:
    tree = raw_trees.scoliosis1k_pose()
    lay(tmp_path / "raw", {top + name.partition("/")[2]: data for name, data in tree.items()})
    ignored, rows = prepared_poses(tmp_path, "Scoliosis1K")
    assert ignored == {} and tuple(rows) == SCOLIOSIS1K
    # The first person, as published.
    assert {key: row.guessed for key, row in rows.items() if row.guessed} == {
        SCOLIOSIS1K[1]: GUESSED
    }
    whole = expected(1, list(range(6)))
    whole[2] += ANOTHER
    np.testing.assert_array_equal(poses(tmp_path, SCOLIOSIS1K[1]), whole)


def apart(silhouettes: Tree, pose: Tree) -> Tree:
    return silhouettes | pose


def in_one_folder(silhouettes: Tree, pose: Tree) -> Tree:
    return {name.partition("/")[2]: data for name, data in (silhouettes | pose).items()}


def silhouettes_zipped(silhouettes: Tree, pose: Tree) -> Tree:
    return {"Scoliosis1K-sil-raw.zip": zipped(silhouettes)} | pose


def both_zipped(silhouettes: Tree, pose: Tree) -> Tree:
    inside = {name.partition("/")[2]: data for name, data in pose.items()}
    return {
        "Scoliosis1K-sil-raw.zip": zipped(silhouettes),
        "Scoliosis1K-pose-raw.zip": zipped(inside),
    }


@pytest.mark.parametrize("form", [apart, in_one_folder, silhouettes_zipped, both_zipped])
def test_scoliosis1k_of_silhouettes_and_poses(
    tmp_path: Path, form: Callable[[Tree, Tree], Tree]
) -> None:
    lay(tmp_path / "raw", form(raw_trees.scoliosis1k(), raw_trees.scoliosis1k_pose()))
    ignored, rows = prepared_poses(tmp_path, "Scoliosis1K")
    assert ignored == {} and tuple(rows) == SCOLIOSIS1K
    assert {(row.frames_kept, str(row.dropped)) for row in rows.values()} == {(6, "{}")}
    assert not any(row.guessed for row in rows.values())
    for who, key in enumerate(SCOLIOSIS1K):
        np.testing.assert_array_equal(poses(tmp_path, key), expected(who, list(range(6))))
        assert len(frames(tmp_path, key)) == 6


def test_scoliosis1k_sequences_that_only_one_tree_has(tmp_path: Path) -> None:
    tree = raw_trees.scoliosis1k() | raw_trees.scoliosis1k_pose()
    tree = {
        name: data
        for name, data in tree.items()
        if "sil-raw/00000" not in name and "pose-raw/00002" not in name
    }
    lay(tmp_path / "raw", tree)
    found, rows = prepared(tmp_path, "Scoliosis1K", files=dataset("Scoliosis1K").files)
    assert tuple(rows) == SCOLIOSIS1K[1:]
    assert rows[SCOLIOSIS1K[2]].dropped == {"no pose": 6}
    # Poses without silhouettes.
    assert found.ignored == {"other .json file": 6}
    assert found.layout == "Scoliosis1kSilhouettes and Scoliosis1kPoses"


def test_images_and_arrays_are_two_forms(tmp_path: Path) -> None:
    """Nobody knows which frame of an array is which image."""
    lay(tmp_path, {"001/a/000/1.png": b"x", "001/b/000/000.pkl": b"x"})
    with pytest.raises(DataError, match=r"1 sequences of ImageTree .* 1 sequences of PklTree"):
        scan(tmp_path, RawForm(["image_tree", "pkl_tree"], files={"pkl_pose": "{folder}/*.pkl"}))


def findings(root: Path, name: str) -> dict[str, int]:
    """What a check says of poses."""
    found = check(root, dataset(name)).findings
    return {each.kind: each.count for each in found if "looked at" in each.kind}


def test_a_check_tells_that_the_walker_would_be_guessed(tmp_path: Path) -> None:
    tree = raw_trees.oumvlp_pose()
    lay(tmp_path / "raw", tree)
    unreadable = "poses that cannot be read, of 84 looked at"
    guessed = (
        "frames of several people without a silhouette that tells the walker, of 84 looked at"
    )
    assert findings(tmp_path, "OUMVLP-Pose") == {unreadable: 4, guessed: 14}
    lay(tmp_path / "raw", raw_trees.oumvlp())
    assert findings(tmp_path, "OUMVLP-Pose") == {unreadable: 4}


def test_a_check_tells_poses_of_another_form(tmp_path: Path) -> None:
    lay(tmp_path / "raw", {f"00001/{view}_00/0001.json": b"[]" for view in ("000", "090")})
    found = check(tmp_path, dataset("OUMVLP-Pose"))
    assert "poses that cannot be read, of 2 looked at" in {each.kind for each in found.errors}


def test_a_check_of_silhouettes_and_poses_is_content(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_trees.scoliosis1k() | raw_trees.scoliosis1k_pose())
    assert findings(tmp_path, "Scoliosis1K") == {}
    lay(tmp_path / "grew/raw", raw_trees.grew())
    assert findings(tmp_path / "grew", "GREW") == {}
