"""Datasets given out as pkl files become packed stores, from `raw` and from `pkl`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.dataset import Dataset
from gait.config.load import load_dataset
from gait.errors import DataError
from gait.formats.manifest import ManifestRow, manifest_text, read_manifest
from gait.modalities import MODALITIES, packed_name
from gait.prepare.catalogue.available import modalities_of_raw, modalities_of_tree
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences
from gait.prepare.catalogue.shards import merge_catalogue, rearrange
from gait.prepare.check import check
from gait.prepare.modalities.crops import unpadded
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from gait.prepare.pack import pack
from gait.prepare.sequences.import_tree import manifest_of_tree
from gait.prepare.sequences.pretreat import pretreat_shard
from tests import raw_pkl_trees
from tests.raw_trees import PASSWORD, Tree, lay, tar, zipped

REPOSITORY = Path(__file__).parents[2]
COLOURS = {"rgb", "ratio"}


def dataset(name: str) -> Dataset:
    return load_dataset(REPOSITORY, name)[0]


def prepared(root: Path, name: str) -> tuple[Sequences, list[ManifestRow]]:
    """The files below `root/raw`, taken as far as the packed store: what was found, and made."""
    definition = dataset(name)
    table = root / "shards/1-of-1.csv"
    output = table.with_suffix(".pkl.csv")
    files, pkl = definition.files, definition.pkl
    found = rearrange(root / "raw", RawForm(definition.layouts, files=files, pkl=pkl), table, 1, 1)
    pretreat_shard(table, root / "raw", root, output, definition.pretreat)
    merge_catalogue([table], root / "sequences.csv")
    pack([output], root, root / "manifest.csv", root / "packed", root / "sequences.csv")
    manifest = read_manifest(root / "manifest.csv")
    assert {row.key for row in manifest} == {row.key for row in found.rows}
    assert {row.modality for row in manifest} <= modalities_of_raw(found.rows)
    return found, manifest


def adopted(root: Path, name: str) -> dict[str, int]:
    """The tree `root/pkl`, taken over and packed; what was not used, by kind."""
    pkl = dataset(name).pkl
    tree = manifest_of_tree(root, pkl)
    table = root / "shards/imported.pkl.csv"
    table.parent.mkdir()
    table.write_text(manifest_text(tree.rows))
    pack([table], root, root / "manifest.csv", root / "packed")
    assert modalities_of_tree(root / "pkl", pkl) == {row.modality for row in tree.rows}
    assert not check(root, dataset(name)).errors
    return tree.ignored


def packed(root: Path) -> dict[str, NDArray[Any]]:
    """Every modality of a packed store."""
    folder = root / "packed"
    names = [each for each in MODALITIES if (folder / packed_name(each)).exists()]
    return {each: np.load(folder / packed_name(each)) for each in names}


def index(root: Path) -> list[str]:
    """Keys and lengths of what a store holds."""
    lines = (root / "packed/index.csv").read_text().splitlines()[1:]
    return ["/".join(line.split(",")[:3]) + " " + line.split(",")[4] for line in lines]


def given(tree: Tree, ending: str, modality: str) -> NDArray[Any]:
    """The arrays of files with such an ending, one after the other by key, as they are packed."""
    names = sorted(name for name in tree if name.endswith(ending))
    assert names
    frames = np.concatenate([pickle.loads(tree[name]) for name in names])
    return frames.astype(MODALITIES[modality].dtypes[0])


def rows_of(tree: Tree, ending: str) -> NDArray[np.float32]:
    """The points of all clouds in files with such an ending, by key."""
    names = sorted(name for name in tree if name.endswith(ending))
    clouds = [cloud for name in names for cloud in pickle.loads(tree[name])]
    return np.concatenate(clouds).astype(np.float32)


def both(
    tmp_path: Path, name: str, tree: Tree, below: str = ""
) -> tuple[dict[str, NDArray[Any]], list[dict[str, int]]]:
    """One tree laid in `raw` and in `pkl`: what both give, and what either did not use.

    Args:
        below: a folder on top of the tree that is left out in `pkl`.
    """
    lay(tmp_path / "one/raw", tree)
    lay(tmp_path / "other/pkl", {path.removeprefix(below): data for path, data in tree.items()})
    found, manifest = prepared(tmp_path / "one", name)
    assert not any(row.dropped for row in manifest)
    ignored = [found.ignored, adopted(tmp_path / "other", name)]
    one, other = packed(tmp_path / "one"), packed(tmp_path / "other")
    # Skeleton maps are drawn where anything is made at all.
    drawn = one.pop("skeleton_maps", None)
    if "pose" in one:
        assert drawn is not None and len(drawn) == len(one["pose"])
    assert one.keys() == other.keys()
    for modality, frames in one.items():
        np.testing.assert_array_equal(frames, other[modality], modality)
    assert index(tmp_path / "one") == index(tmp_path / "other")
    return one, ignored


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
    expected = unpadded(frames, 128)
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
