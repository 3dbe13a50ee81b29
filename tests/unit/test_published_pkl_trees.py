"""Datasets given out as pkl files become packed stores, from `raw` and from `pkl`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.sequences.import_tree import manifest_of_tree
from tests import raw_pkl_trees
from tests.raw_archives import PASSWORD, tar, zipped
from tests.raw_trees import Tree, lay
from tests.unit.published_pkl_trees import (
    COLOURS,
    adopted,
    both,
    given,
    index,
    packed,
    prepared,
    rows_of,
)
from tests.unit.published_trees import dataset


def test_casia_b_star(tmp_path: Path) -> None:
    tree = raw_pkl_trees.casia_b_star()
    found, ignored = both(tmp_path, "CASIA-B-star", tree)
    assert ignored == [{}, {}]
    for modality, ending in (
        ("silhouettes", "-aligned-sils.pkl"),
        ("ratio", "-ratios.pkl"),
        ("rgb", "-rgbs.pkl"),
        ("masks", "0-sils.pkl"),
    ):
        np.testing.assert_array_equal(found.pop(modality), given(tree, ending, modality))
    assert not found


def test_casia_b_star_without_colours(tmp_path: Path) -> None:
    tree = raw_pkl_trees.casia_b_star()
    tree = {name: data for name, data in tree.items() if "rgbs" not in name}
    found, _ = both(tmp_path, "CASIA-B-star", tree)
    assert found.keys() == {"silhouettes", "ratio", "masks"}


@pytest.mark.parametrize("dataset_name", ["SUSTech1K", "SUSTech1K-sync"])
def test_sustech1k(tmp_path: Path, dataset_name: str) -> None:
    tree = raw_pkl_trees.sustech1k_pkl()
    is_paired = dataset_name.endswith("sync")
    found, ignored = both(tmp_path, dataset_name, tree)
    first = 8 if is_paired else 0
    number = 6 if is_paired else 4
    assert [sum(each.values()) for each in ignored] == [len(tree) - number * 12] * 2
    sync = "sync-" if is_paired else ""

    def ending(index: int, name: str) -> Callable[[str], bool]:
        return lambda path: (
            path.endswith(f"-{name}.pkl") and f"/{first + index:02d}-{sync}" in path
        )

    def of(index: int, name: str, modality: str) -> NDArray[Any]:
        fits = ending(index, name)
        return given({path: data for path, data in tree.items() if fits(path)}, ".pkl", modality)

    silhouettes = of(6, "Camera-Sils_aligned", "silhouettes")
    np.testing.assert_array_equal(found.pop("silhouettes"), silhouettes)
    assert len(silhouettes) == 4 * 3 * (3 if is_paired else 9)
    np.testing.assert_array_equal(found.pop("pose"), of(3, "Camera-Pose", "pose"))
    colours = of(5, "Camera-RGB_raw", "rgb")
    np.testing.assert_array_equal(found.pop("rgb"), colours.transpose(0, 3, 1, 2))
    boxes = of(4, "Camera-Ratios-HW", "smpl")
    np.testing.assert_allclose(found.pop("ratio"), boxes[:, 1] / boxes[:, 0])
    if is_paired:
        points = {path: data for path, data in tree.items() if "/08-sync-" in path}
        np.testing.assert_array_equal(found.pop("points"), rows_of(points, "LiDAR-PCDs.pkl"))
        np.testing.assert_array_equal(found.pop("depth"), of(1, "LiDAR-PCDs_depths", "depth"))
    assert not found


def test_sustech1k_lies_in_any_folder_of_raw(tmp_path: Path) -> None:
    lay(tmp_path / "raw/SUSTech1K-Released", raw_pkl_trees.sustech1k_pkl())
    found, manifest = prepared(tmp_path, "SUSTech1K")
    assert found.layout == "Sustech1kPkl"
    assert {row.frames_kept for row in manifest} == {9}


def test_camera_and_lidar_are_not_paired_by_place(tmp_path: Path) -> None:
    lay(tmp_path / "pkl", raw_pkl_trees.sustech1k_pkl())
    mapping = {"silhouettes": "06-{view}-*.pkl", "depth": "01-{view}-*.pkl"}
    with pytest.raises(DataError, match=r"01-000-LiDAR-PCDs_depths.pkl: expected the 9 frames of"):
        manifest_of_tree(tmp_path, mapping)


def test_gaitlu_1m(tmp_path: Path) -> None:
    tree = raw_pkl_trees.gaitlu_1m()
    found, ignored = both(tmp_path, "GaitLU-1M", tree, "silhouette_cut_pkl/")
    assert ignored == [{}, {}]
    np.testing.assert_array_equal(found["silhouettes"], given(tree, ".pkl", "silhouettes"))
    assert index(tmp_path / "one")[:2] == ["000/000/000 6", "000/000/001 6"]


def test_freegait(tmp_path: Path) -> None:
    tree = raw_pkl_trees.freegait()
    moved = {
        f"{path.rsplit('/', 2)[0]}/{path.rsplit('/', 1)[1]}": data for path, data in tree.items()
    }
    lay(tmp_path / "own/raw/FreeGait", tree)
    found, _ = prepared(tmp_path / "own", "FreeGait")
    assert found.ignored == {"other .pkl file": 8}
    assert [str(row.source) for row in found.rows] == [
        "FreeGait/0001/devid0/seq_00/lidar",
        "FreeGait/0002/devid_1/seq_01_new/lidar",
    ]
    assert index(tmp_path / "own") == ["0001/devid0/seq_00 6", "0002/devid_1/seq_01_new 6"]
    store, ignored = both(tmp_path, "FreeGait", moved)
    assert [sum(each.values()) for each in ignored] == [8, 8]
    assert store.keys() == {"points"}
    np.testing.assert_array_equal(store["points"], packed(tmp_path / "own")["points"])
    np.testing.assert_array_equal(store["points"], rows_of(tree, "lidar.pkl"))


def test_scoliosis1k(tmp_path: Path) -> None:
    tree = raw_pkl_trees.scoliosis1k_pkl()
    lay(tmp_path / "raw", tree)
    found, _ = prepared(tmp_path, "Scoliosis1K")
    assert (found.layout, found.ignored) == ("Scoliosis1kPkl", {})
    assert index(tmp_path) == [
        "00000/positive/000_180 6",
        "00001/neutral/000_180 6",
        "00002/negative/000_180 6",
    ]
    store = packed(tmp_path)
    assert store.keys() == {"silhouettes", "pose", "skeleton_maps"}
    silhouettes = {path: data for path, data in tree.items() if "-sil-" in path}
    np.testing.assert_array_equal(store["silhouettes"], given(silhouettes, ".pkl", "silhouettes"))


@pytest.mark.parametrize(
    ("part", "made"), [("sil", {"silhouettes"}), ("pose", {"pose", "skeleton_maps"})]
)
def test_scoliosis1k_with_one_of_its_trees(tmp_path: Path, part: str, made: set[str]) -> None:
    tree = raw_pkl_trees.scoliosis1k_pkl()
    lay(tmp_path / "raw", {path: data for path, data in tree.items() if f"-{part}-" in path})
    found, _ = prepared(tmp_path, "Scoliosis1K")
    assert found.ignored == {}
    assert packed(tmp_path).keys() == made


@pytest.mark.parametrize(("name", "key"), [("D-Gait", "D_000/d/000"), ("RAGAR", "001/1_0_3/0")])
def test_a_file_of_silhouettes_named_for_its_view(tmp_path: Path, name: str, key: str) -> None:
    frames = raw_pkl_trees.silhouettes(1, 6)
    path = f"{key}/{key.rpartition('/')[2]}.pkl"
    found, ignored = both(tmp_path, name, {path: raw_pkl_trees.pickled(frames)})
    assert ignored == [{}, {}]
    np.testing.assert_array_equal(found["silhouettes"], frames)


def test_gait3d_as_opengait_merges_it(tmp_path: Path) -> None:
    tree: Tree = {}
    for who in (0, 1):
        folder = f"{who:04d}/camid0_videoid2/seq{who}"
        frames = raw_pkl_trees.silhouettes(who, 5)
        tree[f"{folder}/sils-seq{who}.pkl"] = raw_pkl_trees.pickled(frames)
        tree[f"{folder}/smpls-seq{who}.pkl"] = raw_pkl_trees.pickled(np.ones((5, 85)))
    lay(tmp_path / "pkl", tree)
    assert adopted(tmp_path, "Gait3D") == {}
    assert packed(tmp_path).keys() == {"silhouettes", "smpl"}


@pytest.mark.parametrize("colours", ["rgbs", "aligned-rgbs"])
def test_ccpg_as_opengait_aligns_it(tmp_path: Path, colours: str) -> None:
    tree: Tree = {}
    for who in (0, 100):
        stem = f"{who:03d}/U0_D0/C1_a/C1_a"
        for name, content in (
            ("aligned-sils", raw_pkl_trees.silhouettes(1, 5)),
            ("ratios", np.ones(5)),
            (colours, raw_pkl_trees.colours_first(1, 5)),
            ("sils", raw_pkl_trees.silhouettes(1, 5, (128, 128))),
        ):
            tree[f"{stem}-{name}.pkl"] = raw_pkl_trees.pickled(content)
    lay(tmp_path / "pkl", tree)
    assert adopted(tmp_path, "CCPG") == {}
    assert packed(tmp_path).keys() == {"silhouettes", "masks"} | COLOURS


@pytest.mark.parametrize("parts", [("sil", "pose"), ("sil",), ("pose",)])
@pytest.mark.parametrize("are_inside", [False, True])
def test_scoliosis1k_in_its_archives(
    tmp_path: Path, parts: tuple[str, ...], are_inside: bool
) -> None:
    tree = raw_pkl_trees.scoliosis1k_pkl()
    for part in parts:
        top = f"Scoliosis1K-{part}-pkl"
        own = {path: data for path, data in tree.items() if path.startswith(f"{top}/")}
        lay(tmp_path / "unpacked/raw", own)
        if not are_inside:
            own = {path.removeprefix(f"{top}/"): data for path, data in own.items()}
        lay(tmp_path / "packed/raw", {f"{top}.zip": zipped(own)})
    prepared(tmp_path / "unpacked", "Scoliosis1K")
    found, manifest = prepared(tmp_path / "packed", "Scoliosis1K")
    assert found.ignored == {}
    assert not any(row.dropped for row in manifest)
    one, other = packed(tmp_path / "unpacked"), packed(tmp_path / "packed")
    assert one.keys() == other.keys()
    for modality, frames in one.items():
        np.testing.assert_array_equal(frames, other[modality], modality)
    assert index(tmp_path / "unpacked") == index(tmp_path / "packed")


@pytest.mark.parametrize(
    ("name", "archive", "tree"),
    [
        ("SUSTech1K", "SUSTech1K-pkl.zip", raw_pkl_trees.sustech1k_pkl()),
        ("SUSTech1K-sync", "SUSTech1K-pkl.tar", raw_pkl_trees.sustech1k_pkl()),
        ("GaitLU-1M", "GaitLU-1M.zip", raw_pkl_trees.gaitlu_1m()),
    ],
)
def test_an_archive_gives_what_its_tree_does(
    tmp_path: Path, name: str, archive: str, tree: Tree
) -> None:
    lay(tmp_path / "unpacked/raw", tree)
    is_secret = name == "GaitLU-1M"
    packed_tree = tar(tree) if archive.endswith("tar") else zipped(tree, PASSWORD * is_secret)
    lay(tmp_path / "packed/raw", {archive: packed_tree})
    if is_secret:
        lay(tmp_path / "packed/raw", {"password.txt": PASSWORD.encode()})
    prepared(tmp_path / "unpacked", name)
    found, manifest = prepared(tmp_path / "packed", name)
    assert not any(row.dropped for row in manifest)
    ignored = len(tree) - len(found.rows) * len(dataset(name).pkl) if not is_secret else 0
    assert sum(found.ignored.values()) == ignored
    one, other = packed(tmp_path / "unpacked"), packed(tmp_path / "packed")
    assert one.keys() == other.keys()
    for modality, frames in one.items():
        np.testing.assert_array_equal(frames, other[modality], modality)
