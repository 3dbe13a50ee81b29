"""Foreign pkl trees."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.patterns import check_pkl
from gait.errors import DataError
from gait.formats.manifest import manifest_text
from gait.formats.pkl import read_pkl
from gait.prepare.catalogue.available import modalities_of_tree
from gait.prepare.pack import pack
from gait.prepare.sequences.import_tree import manifest_of_tree


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
    assert (summary.sequences, summary.frames, summary.size) == (2, 8, (64, 44))


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
        "pkl of something else beside those used": 1,
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
    assert tree.ignored == {"pkl of something else beside those used": 1}
    manifest = root / "shards" / "imported.pkl.csv"
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


def adopted(root: Path, unnamed: str = "silhouettes") -> list[str]:
    """The modality and the file of each row."""
    rows = manifest_of_tree(root, unnamed).rows
    return [f"{row.modality} {Path(row.pkl).name}" for row in rows]


def test_a_sequence_may_have_named_files_and_no_silhouettes(tmp_path: Path) -> None:
    put(tmp_path, "1/nm/0/0-pose.pkl", np.ones((5, 17, 3)))
    put(tmp_path, "1/nm/0/0-points.pkl", np.ones((5, 99, 3)))
    # Neither is known to hold silhouettes.
    put(tmp_path, "1/nm/0/sils.pkl", frames(5))
    put(tmp_path, "1/nm/0/sync-sils.pkl", frames(5))
    tree = manifest_of_tree(tmp_path)
    assert [row.modality for row in tree.rows] == ["points", "pose"]
    assert tree.ignored == {"pkl of something else beside those used": 2}


ARRAYS: dict[str, NDArray[Any]] = {
    "silhouettes": np.ones((5, 64, 44), np.uint8),
    "pose": np.ones((5, 17, 3), np.float32),
    "points": np.ones((5, 512, 3)),
    "ratio": np.ones(5),
    "smpl": np.ones((5, 85), np.float32),
    "skeleton_maps": np.ones((5, 2, 64, 64), np.uint8),
    "latent": np.ones((5, 4, 16, 8), np.float16),
}


@pytest.mark.parametrize("modality", ARRAYS)
def test_a_single_file_of_another_name_is_told_by_its_shape(tmp_path: Path, modality: str) -> None:
    put(tmp_path, "1/nm/0/something.pkl", ARRAYS[modality])
    assert adopted(tmp_path) == [f"{modality} something.pkl"]
    put(tmp_path, "1/nm/0/0-depth.pkl", np.ones((5, 3, 64, 64), np.uint8))
    assert adopted(tmp_path) == sorted(["depth 0-depth.pkl", f"{modality} something.pkl"])
    # Another file of a modality that is named adds nothing.
    put(tmp_path, f"1/nm/0/0-{modality}.pkl", ARRAYS[modality])
    assert adopted(tmp_path) == sorted(["depth 0-depth.pkl", f"{modality} 0-{modality}.pkl"])


def test_a_shape_that_several_have_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "1/nm/0/rgbs.pkl", np.ones((5, 3, 64, 64), np.uint8))
    sentence = r"rgbs.pkl: uint8 \[5, 3, 64, 64\] may be depth, flow, rgb; name the file 0-<mod"
    with pytest.raises(DataError, match=sentence):
        manifest_of_tree(tmp_path)
    assert adopted(tmp_path, "rgb") == ["rgb rgbs.pkl"]
    put(tmp_path, "1/nm/0/0-pose.pkl", ARRAYS["pose"])
    assert adopted(tmp_path) == ["pose 0-pose.pkl"]
    path.unlink()
    put(tmp_path, "1/nm/0/gei.pkl", np.ones((64, 64), np.uint8))
    assert adopted(tmp_path) == ["pose 0-pose.pkl"]


def test_a_dataset_may_say_what_files_hold(tmp_path: Path) -> None:
    labels = np.full((5, 64, 44), 11, np.uint8)
    put(tmp_path, "1/nm/0/0.pkl", labels)
    put(tmp_path, "1/nm/1/labels.pkl", labels)
    assert adopted(tmp_path, "parsing") == ["parsing 0.pkl", "parsing labels.pkl"]
    # The form of our own trees: where the modality has its file, <view>.pkl holds silhouettes.
    put(tmp_path, "1/nm/0/0-parsing.pkl", labels)
    assert adopted(tmp_path, "parsing") == [
        "parsing 0-parsing.pkl",
        "silhouettes 0.pkl",
        "parsing labels.pkl",
    ]
    with pytest.raises(DataError, match=r"0.pkl: expected pose float32"):
        manifest_of_tree(tmp_path, "pose")


@pytest.mark.parametrize("name", ["0-points.pkl", "0.pkl", "lidar.pkl"])
def test_clouds_of_differing_size_are_a_list(tmp_path: Path, name: str) -> None:
    clouds = [np.full((size, 3), size, np.float32) for size in (7, 9, 4)]
    put(tmp_path, f"1/nm/0/{name}", clouds)
    (row,) = manifest_of_tree(tmp_path, "points").rows
    assert (row.modality, row.frames_kept) == ("points", 3)
    digest = hashlib.sha256(np.concatenate(clouds).tobytes() + np.array([7, 9, 4]).tobytes())
    assert row.sha256 == digest.hexdigest()
    if name == "lidar.pkl":
        assert adopted(tmp_path, "silhouettes") == ["points lidar.pkl"]
    # A frame that only the clouds lack cannot be taken out of the other files here.
    put(tmp_path, f"1/nm/0/{name}", [*clouds, np.ones((0, 3))])
    with pytest.raises(DataError, match=r"got float64 \[0, 3\] as frame 3; .*every modality"):
        manifest_of_tree(tmp_path, "points")


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


# Trees whose dataset says what files are called.

SUSTECH1K = {
    "silhouettes": "06-{view}-Camera-Sils_aligned.pkl",
    "pose": "03-{view}-*.pkl",
    "rgb": "05-*RGB_raw.pkl",
    "ratio": "04-*.pkl",
}


def sustech(root: Path, key: str, count: int = 5) -> None:
    view = key.rpartition("/")[2]
    put(root, f"{key}/00-{view}-LiDAR-PCDs.pkl", [np.ones((7, 3))] * (count // 3))
    put(root, f"{key}/03-{view}-Camera-Pose.pkl", np.ones((count, 17, 3)).tolist())
    put(root, f"{key}/04-{view}-Camera-Ratios-HW.pkl", np.tile([200, 80], (count, 1)))
    colours = np.arange(count * 2 * 4 * 3, dtype=np.uint8).reshape(count, 2, 4, 3)
    put(root, f"{key}/05-{view}-Camera-RGB_raw.pkl", colours)
    put(root, f"{key}/06-{view}-Camera-Sils_aligned.pkl", frames(count))
    put(root, f"{key}/14-sync-{view}-Camera-Sils_aligned.pkl", frames(count // 3))


def test_a_mapping_says_what_files_hold(tmp_path: Path) -> None:
    for key in ("0000/00-nm/000-far", "0001/01-bg/090"):
        sustech(tmp_path, key)
    tree = manifest_of_tree(tmp_path, SUSTECH1K)
    assert [row.modality for row in tree.rows] == ["pose", "ratio", "rgb", "silhouettes"] * 2
    assert tree.ignored == {"pkl of something else beside those used": 4}
    assert modalities_of_tree(tmp_path / "pkl", SUSTECH1K) == set(SUSTECH1K)
    manifest = tmp_path / "shards/imported.pkl.csv"
    manifest.parent.mkdir()
    manifest.write_text(manifest_text(tree.rows))
    pack([manifest], tmp_path, tmp_path / "manifest.csv", tmp_path / "packed")
    # Height and width become the ratio that is used here, and channels come first.
    np.testing.assert_array_equal(
        np.load(tmp_path / "packed/ratio.npy"), np.full(10, 0.4, np.float32)
    )
    colours = np.load(tmp_path / "packed/rgb.npy")
    assert colours.shape == (10, 3, 2, 4)
    np.testing.assert_array_equal(colours[0, 2], np.arange(24).reshape(2, 4, 3)[..., 2])
    assert np.load(tmp_path / "packed/pose.npy").shape == (10, 17, 3)


def test_a_modality_of_which_no_sequence_has_a_file_is_not_there(tmp_path: Path) -> None:
    sustech(tmp_path, "0000/00-nm/000")
    mapping = SUSTECH1K | {"parsing": "{view}-par.pkl"}
    assert {row.modality for row in manifest_of_tree(tmp_path, mapping).rows} == set(SUSTECH1K)


def test_our_own_names_stand_beside_a_mapping(tmp_path: Path) -> None:
    put(tmp_path, "1/nm/0/0.pkl", frames(5))
    put(tmp_path, "1/nm/0/0-pose.pkl", np.ones((5, 17, 3)))
    put(tmp_path, "1/nm/0/x.pkl", np.ones((5, 85)))
    assert [row.modality for row in manifest_of_tree(tmp_path, SUSTECH1K).rows] == [
        "pose",
        "silhouettes",
    ]
    # A mapping's first modality is what <view>.pkl holds, where it has no file besides.
    tree = {"points": "lidar.pkl"}
    put(tmp_path, "1/nm/0/0.pkl", np.ones((5, 9, 3)))
    found = [row.modality for row in manifest_of_tree(tmp_path, tree).rows]
    assert found == ["points", "pose"]


@pytest.mark.parametrize("pkl", ["silhouettes", SUSTECH1K])
def test_what_tools_of_opengait_write_is_known(tmp_path: Path, pkl: Any) -> None:
    put(tmp_path, "1/nm/0/0_heatmap.pkl", ARRAYS["skeleton_maps"])
    put(tmp_path, "1/nm/0/1_sil.pkl", frames(5))
    rows = manifest_of_tree(tmp_path, pkl).rows
    assert [row.modality for row in rows] == ["silhouettes", "skeleton_maps"]
    other = tmp_path / "other"
    put(other, "1/nm/0/00-DenoisingFea_96x48.pkl", np.ones((5, 4, 96, 48), np.float16))
    put(other, "1/nm/0/01-Sils_96x48.pkl", np.ones((5, 96, 48), np.uint8))
    assert [row.modality for row in manifest_of_tree(other, pkl).rows] == ["latent", "masks"]
    assert modalities_of_tree(other / "pkl", pkl) == {"latent", "masks"}


def test_names_with_signs_of_patterns_stand_for_themselves(tmp_path: Path) -> None:
    put(tmp_path, "1/nm/[ab]/[ab]-sils.pkl", frames(5))
    put(tmp_path, "1/nm/[ab]/a-sils.pkl", frames(5))
    rows = manifest_of_tree(tmp_path, {"silhouettes": "{view}-sils.pkl"}).rows
    assert [Path(row.pkl).name for row in rows] == ["[ab]-sils.pkl"]


@pytest.mark.parametrize(
    ("pkl", "sentence"),
    [
        ({"silhouettes": "*sils.pkl"}, r"one file of silhouettes, \*sils.pkl, got 0-aligned-sil"),
        ({"silhouettes": "0-sils.pkl", "masks": "*-sils.pkl"}, r"one file of masks.*0-aligned"),
        (
            {"silhouettes": "0-sils.pkl", "masks": "{view}-sils.pkl"},
            r"0-sils.pkl: expected to be of one modality, got silhouettes and masks; name it once",
        ),
        ({"silhouettes": "a.pkl"}, r"expected one pkl.*say by `pkl` in dataset.yaml which of the"),
        ({"pose": "0-sils.pkl"}, r"0-sils.pkl: expected pose float32"),
        (
            {"silhouettes": "0-aligned-sils.pkl", "pose": "0-sils.pkl"},
            r"0-sils.pkl: expected pose.*; where no model reads pose, take it out of `pkl` in dat",
        ),
        (
            {"silhouettes": "0-aligned-sils.pkl", "masks": "0-sils.pkl"},
            r"0-sils.pkl: expected the 5 frames of 0-aligned-sils.pkl, got 6; .*`pkl` in datase",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_its_tree(
    tmp_path: Path, pkl: dict[str, str], sentence: str
) -> None:
    put(tmp_path, "1/nm/0/0-aligned-sils.pkl", frames(5))
    put(tmp_path, "1/nm/0/0-sils.pkl", frames(6))
    with pytest.raises(DataError, match=sentence):
        manifest_of_tree(tmp_path, pkl)


@pytest.mark.parametrize(
    ("pkl", "message"),
    [
        ("hair", "'hair' is no modality"),
        ({"hair": "a.pkl"}, "'hair' is no modality"),
        ({}, "it names no modality"),
        ({"pose": "poses/a.pkl"}, "pose: expected the name of a pkl file in a sequence's folder"),
        ({"pose": "a.npy"}, "pose: expected the name of a pkl file"),
        ({"pose": "{sequence}.pkl"}, "pose: {sequence} is unknown"),
        ({"pose": "{view.pkl"}, "is no pattern"),
    ],
)
def test_a_mapping_that_cannot_be(pkl: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_pkl(pkl)


def walkers(count: int) -> NDArray[np.uint8]:
    made = np.zeros((count, 64, 44), np.uint8)
    made[:, 4:60, 15:30] = 255
    return made


@pytest.mark.parametrize("case", ["ones", "inverted"])
def test_silhouettes_of_other_values_are_written_anew_on_demand_only(
    tmp_path: Path, case: str
) -> None:
    other = walkers(6) // 255 if case == "ones" else 255 - walkers(6)
    path = put(tmp_path, "0001/a/b/b.pkl", other)
    usual = put(tmp_path, "0001/a/c/c.pkl", walkers(5))
    before = path.read_bytes(), usual.read_bytes()
    with pytest.raises(DataError, match=r"b\.pkl: expected .* 0 and 255, got .*--convert"):
        manifest_of_tree(tmp_path)
    assert (path.read_bytes(), usual.read_bytes()) == before
    rows = manifest_of_tree(tmp_path, convert=True).rows
    assert usual.read_bytes() == before[1]
    np.testing.assert_array_equal(read_pkl(path), walkers(6))
    assert [list(row.guessed.values()) for row in rows] == [[6], []]
    assert rows[0].sha256 == hashlib.sha256(walkers(6).tobytes()).hexdigest()
    assert [row.sha256 for row in manifest_of_tree(tmp_path).rows] == [
        each.sha256 for each in rows
    ]


def test_silhouettes_with_a_stray_value_are_not_written_anew(tmp_path: Path) -> None:
    ones = walkers(6) // 255
    ones[5, 0, 0] = 7
    path = put(tmp_path, "0001/a/b/b.pkl", ones)
    before = path.read_bytes()
    with pytest.raises(DataError, match="others in frame 5"):
        manifest_of_tree(tmp_path, convert=True)
    assert path.read_bytes() == before
