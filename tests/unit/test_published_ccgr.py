"""CCGR and CCGR-Mini as they are given out: silhouettes, colours and parsing together or apart."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.prepare.check import check
from gait.prepare.modalities.crops import trimmed
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from tests import raw_pkl_trees
from tests.raw_trees import Tree, lay
from tests.unit.published_pkl_trees import COLOURS, both, given, index, packed, prepared
from tests.unit.published_trees import dataset


def test_ccgr(tmp_path: Path) -> None:
    tree = raw_pkl_trees.ccgr()
    found, ignored = both(tmp_path, "CCGR", tree)
    assert ignored == [{}, {}]
    assert found.keys() == {"silhouettes", "parsing", "pose"}
    np.testing.assert_array_equal(found["parsing"], given(tree, "-par.pkl", "parsing"))


def test_ccgr_mini_merged(tmp_path: Path) -> None:
    tree = raw_pkl_trees.ccgr_mini_merged()
    found, ignored = both(tmp_path, "CCGR-MINI", tree)
    assert ignored == [{}, {}]
    assert found.keys() == {"silhouettes", "parsing", "pose"} | COLOURS
    np.testing.assert_array_equal(found["rgb"], given(tree, "-rgb_f.pkl", "rgb"))


def test_ccgr_mini_as_it_comes(tmp_path: Path) -> None:
    tree = raw_pkl_trees.ccgr_mini()
    lay(tmp_path / "raw", tree)
    found, manifest = prepared(tmp_path, "CCGR-MINI")
    assert found.ignored == {}
    assert sorted({str(row.key) for row in manifest}) == sorted(raw_pkl_trees.CCGR_MINI)
    assert {(row.frames_kept, str(row.dropped)) for row in manifest} == {(6, "{}")}
    store = packed(tmp_path)
    assert store.keys() == {"silhouettes", "parsing", "pose", "skeleton_maps"} | COLOURS
    np.testing.assert_array_equal(store["silhouettes"], joined(tree, "silhouettes"))
    poses = joined(tree, "pose")
    np.testing.assert_array_equal(store["pose"], poses.astype(np.float32))
    np.testing.assert_array_equal(store["skeleton_maps"][:6], skeleton_maps(poses[:6], 64))
    frames = read_frames(tmp_path / "raw/rgb/601/AS1/over.avi/over.avi")
    expected = trimmed(frames, 128)
    start = index(tmp_path).index("601/AS1/over.avi 6") * 6
    np.testing.assert_array_equal(store["rgb"][start : start + 6], expected.frames)
    np.testing.assert_allclose(store["ratio"][start : start + 6], expected.ratio, rtol=1e-6)
    assert check(tmp_path, dataset("CCGR-MINI")).errors == []


def joined(tree: Tree, top: str) -> NDArray[Any]:
    """The arrays of one of the trees side by side, in the order of keys."""
    names = sorted(
        (name for name in tree if name.startswith(f"{top}/")),
        key=lambda name: name.split("/")[1:4],
    )
    return np.concatenate([pickle.loads(tree[name]) for name in names])


def read_frames(path: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    return frames


@pytest.mark.parametrize(
    ("tops", "made"),
    [
        ({"silhouettes"}, {"silhouettes"}),
        ({"rgb"}, COLOURS),
        ({"pose", "silhouettes"}, {"silhouettes", "pose", "skeleton_maps"}),
    ],
)
def test_ccgr_mini_with_some_of_its_trees(tmp_path: Path, tops: set[str], made: set[str]) -> None:
    tree = raw_pkl_trees.ccgr_mini()
    lay(
        tmp_path / "raw", {path: each for path, each in tree.items() if path.split("/")[0] in tops}
    )
    found, _ = prepared(tmp_path, "CCGR-MINI")
    assert found.ignored == {}
    assert packed(tmp_path).keys() == made


def test_ccgr_mini_with_gaps(tmp_path: Path) -> None:
    tree = raw_pkl_trees.ccgr_mini()
    del tree["parsing/1/AS1/over.avi/over.pkl"]
    tree["pose/164/AS1/over.avi/over.pkl"] = raw_pkl_trees.pickled(np.ones((5, 17, 3)))
    tree["rgb/601/AS1/over.avi/over.avi"] = b"no video"
    tree["rgb/602/ASBGCLBXCV1/67_5_2.avi/further.avi"] = b"never looked at"
    tree["depth/1/AS1/over.avi/over.pkl"] = b""
    lay(tmp_path / "raw", tree)
    found, manifest = prepared(tmp_path, "CCGR-MINI")
    assert found.ignored == {"other .pkl file": 1}
    told = {str(row.key): row.dropped for row in manifest if not row.pkl}
    assert told == {
        "1/AS1/over.avi": {"no parsing": 6},
        "164/AS1/over.avi": {"files of different lengths": 6},
        "601/AS1/over.avi": {"unusable video": 6},
    }
    assert len(index(tmp_path)) == 3
