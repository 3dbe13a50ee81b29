"""Foreign pkl trees."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.adopt import manifest_of_tree
from gait.prepare.manifest import manifest_text
from gait.prepare.pack import pack


def frames(count: int) -> NDArray[np.uint8]:
    return np.full((count, 64, 44), count, np.uint8)


def put(root: Path, name: str, content: object) -> Path:
    path = root / "pkl" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "0001/camid0_videoid2/seq0/seq0.pkl", frames(5))
    put(tmp_path, "0000/camid1_videoid2/seq1/sils-seq1.pkl", frames(3))
    return tmp_path


def test_a_tree_becomes_a_manifest_that_can_be_packed(root: Path) -> None:
    tree = manifest_of_tree(root)
    assert [str(row.key) for row in tree.rows] == [
        "0000/camid1_videoid2/seq1",
        "0001/camid0_videoid2/seq0",
    ]
    assert tree.rows[0].pkl == "pkl/0000/camid1_videoid2/seq1/sils-seq1.pkl"
    assert [row.frames_kept for row in tree.rows] == [3, 5]
    assert tree.ignored == {}
    manifest = root / "shards" / "1-of-1.pkl.csv"
    manifest.parent.mkdir()
    manifest.write_text(manifest_text(tree.rows))
    summary = pack([manifest], root, root / "manifest.csv", root / "packed")
    assert (summary.sequences, summary.frames, summary.width_px) == (2, 8, 44)


def test_what_is_no_part_of_the_tree_is_counted(root: Path) -> None:
    put(root, "0001/camid0_videoid2/seq0/00_heatmap.pkl", np.zeros((5, 2, 64, 64), np.uint8))
    (root / "pkl/0001/camid0_videoid2/seq0/mapping.txt").write_text("")
    (root / "pkl/0001/README").write_text("")
    (root / "pkl/0001/camid0_videoid2/seq9").mkdir()
    tree = manifest_of_tree(root)
    assert len(tree.rows) == 2
    assert tree.ignored == {
        "file beside the folders of sequences": 1,
        "no pkl": 1,
        "pkl of something else beside the silhouettes": 1,
        "sequence folder without a pkl": 1,
    }


def test_files_named_for_a_modality_are_taken_for_it(root: Path) -> None:
    leaf = "0001/camid0_videoid2/seq0"
    put(root, f"{leaf}/seq0-pose.pkl", np.ones((5, 17, 3)))
    put(root, f"{leaf}/seq0-skeleton_maps.pkl", np.ones((5, 2, 64, 64), np.uint8))
    put(root, f"{leaf}/seq0-gei.pkl", np.ones((64, 64), np.uint8))
    leaf = "0000/camid1_videoid2/seq1"
    put(root, f"{leaf}/seq1-pose.pkl", np.ones((3, 17, 3), np.float32))
    put(root, f"{leaf}/seq1-skeleton_maps.pkl", np.ones((3, 2, 64, 64), np.uint8))
    tree = manifest_of_tree(root)
    assert [(row.key.view, row.modality) for row in tree.rows] == [
        (view, modality)
        for view in ("seq1", "seq0")
        for modality in ("pose", "silhouettes", "skeleton_maps")
    ]
    assert tree.rows[1].pkl.endswith("seq1/sils-seq1.pkl")
    assert tree.ignored == {"pkl of something else beside the silhouettes": 1}
    manifest = root / "shards" / "adopted.pkl.csv"
    manifest.parent.mkdir()
    manifest.write_text(manifest_text(tree.rows))
    summary = pack([manifest], root, root / "manifest.csv", root / "packed")
    assert summary.others == ("pose", "skeleton_maps")


def test_silhouettes_may_be_named_for_what_they_are(root: Path) -> None:
    leaf = "0001/camid0_videoid2/seq1"
    put(root, f"{leaf}/seq1-silhouettes.pkl", frames(2))
    put(root, f"{leaf}/0.pkl", frames(2))
    row = next(
        row for row in manifest_of_tree(root).rows if row.key.view == "seq1" and "1/" in row.pkl
    )
    assert row.modality == "silhouettes"
    put(root, f"{leaf}/seq1.pkl", frames(7))
    row = next(row for row in manifest_of_tree(root).rows if row.pkl.endswith(f"{leaf}/seq1.pkl"))
    assert row.frames_kept == 7


def test_a_sequence_without_silhouettes_is_told(root: Path) -> None:
    put(root, "0001/camid0_videoid2/seq1/seq1-pose.pkl", np.ones((5, 17, 3)))
    with pytest.raises(DataError, match=r"seq1: .*found seq1-pose.pkl; name the one that holds"):
        manifest_of_tree(root)


def test_a_file_named_for_a_modality_must_hold_it(root: Path) -> None:
    path = put(root, "0001/camid0_videoid2/seq0/seq0-pose.pkl", np.ones((5, 64, 64), np.uint8))
    with pytest.raises(DataError, match=r"expected pose float32 or float64") as caught:
        manifest_of_tree(root)
    assert str(path) in str(caught.value)


def test_files_of_unknown_meaning_are_refused(root: Path) -> None:
    put(root, "0001/camid0_videoid2/seq1/0.pkl", frames(2))
    put(root, "0001/camid0_videoid2/seq1/1.pkl", frames(2))
    with pytest.raises(
        DataError, match=r"seq1: expected one pkl, or one named seq1.pkl.*0.pkl, 1"
    ):
        manifest_of_tree(root)


def test_a_pkl_of_something_else_is_named(root: Path) -> None:
    path = put(root, "0001/camid0_videoid2/seq1/seq1.pkl", np.zeros((5, 17, 3)))
    with pytest.raises(DataError, match=r"float64 \[5, 17, 3\]") as caught:
        manifest_of_tree(root)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", [None, "0001/nm-01/README"])
def test_no_tree_is_told(tmp_path: Path, name: str | None) -> None:
    if name:
        put(tmp_path, name, None)
    with pytest.raises(DataError, match=r"<subject>/<condition>/<view>/<view>.pkl, found no"):
        manifest_of_tree(tmp_path)
