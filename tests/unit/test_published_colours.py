"""CCPG and SUSTech1K as they are given out: silhouettes among colour frames and clouds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.dataset import named_subjects
from gait.formats.manifest import read_manifest
from gait.formats.pkl import read_pkl
from gait.prepare.catalogue.materialise import materialise
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.check import check
from gait.prepare.modalities.crops import stretched
from gait.prepare.modalities.depth import depth_images
from gait.prepare.modalities.point_cloud import read_point_cloud
from gait.prepare.silhouettes.align import CCPG, align
from gait.ragged import Ragged
from tests import raw_trees
from tests.raw_archives import zipped
from tests.raw_trees import Tree, lay
from tests.unit.published_trees import (
    dataset,
    frames,
    images,
    modality,
    pkl_tree,
    prepared,
    same_from,
)


def colours(tree: Tree, names: list[str]) -> NDArray[np.uint8]:
    """Colour frames as published: red, green, blue, scaled to 128 x 128 whatever their aspect."""
    frames = [
        cv2.resize(np.asarray(cv2.imdecode(np.frombuffer(tree[name], np.uint8), 1)), (128, 128))
        for name in names
    ]
    return np.stack(frames)[..., ::-1].transpose(0, 3, 1, 2)


def test_ccpg(tmp_path: Path) -> None:
    tree = raw_trees.ccpg()
    lay(tmp_path / "raw", tree)
    found, rows = prepared(tmp_path, "CCPG", files=dataset("CCPG").files)
    assert (found.layout, found.ignored) == ("CcpgMasks", {})
    assert len(rows) == 2 * 3 * 2
    assert all((row.frames_kept, row.dropped) == (6, {}) for row in rows.values())
    key = "100/U0_D0_BG/C2_b_c"
    masks = images({name: tree[name] for name in tree if name.endswith(".png")}, key)
    np.testing.assert_array_equal(frames(tmp_path, key), align(masks, 64, CCPG).frames)
    names = sorted(name for name in tree if name.startswith(f"{key}/") and ".jpg" in name)
    folder = tmp_path / "pkl" / key
    rgb = read_pkl(folder / "C2_b_c-rgb.pkl", "rgb")
    np.testing.assert_array_equal(rgb, colours(tree, names))
    stretched = [cv2.resize(mask, (128, 128)) for mask in masks]
    unaligned = read_pkl(folder / "C2_b_c-masks.pkl", "masks")
    np.testing.assert_array_equal(unaligned, np.stack(stretched))
    ratio = read_pkl(folder / "C2_b_c-ratio.pkl", "ratio")
    np.testing.assert_array_equal(ratio, [60 / (96 + step) for step in range(6)])
    partition = dataset("CCPG").partition
    train, test = named_subjects(partition.train), named_subjects(partition.test)
    assert "001" in train and "100" in test


def test_ccpg_wherever_it_lies_and_without_colours(tmp_path: Path) -> None:
    tree = raw_trees.ccpg()
    masks = {name: data for name, data in tree.items() if name.endswith(".png")}
    lay(tmp_path / "whole/raw/CCPG/frames", tree)
    lay(tmp_path / "masks/raw", masks)
    prepared(tmp_path / "whole", "CCPG", files=dataset("CCPG").files)
    prepared(tmp_path / "masks", "CCPG", files=dataset("CCPG").files)
    whole, alone = pkl_tree(tmp_path / "whole"), pkl_tree(tmp_path / "masks")
    # Silhouettes and masks; with colours, these and ratios as well.
    assert len(whole) == 2 * len(alone) == 4 * 12
    assert alone.items() < whole.items()


def test_ccpg_never_takes_a_colour_frame_for_a_silhouette(tmp_path: Path) -> None:
    tree = raw_trees.ccpg()
    key = "001/U0_D0/C1_a"
    del tree[f"{key}/C1_a_0001.png"]
    del tree[f"{key}/C1_a_0002.jpg"]
    tree[f"{key}/C1_a_0003.png"] = raw_trees.encoded(np.zeros((96, 60), np.uint8))
    tree["001/U3_D3/C1_a/1.jpg"] = tree[f"{key}/C1_a_0000.jpg"]
    tree["preview.png"] = tree[f"{key}/C1_a_0000.png"]
    lay(tmp_path / "raw", tree)
    found, rows = prepared(tmp_path, "CCPG", files=dataset("CCPG").files)
    assert found.ignored == {
        "image in a folder without silhouettes": 1,
        "image outside <subject>/<condition>/<view>/": 1,
    }
    assert "001/U3_D3/C1_a" not in rows
    row = rows[key]
    assert (row.frames_read, row.frames_kept) == (6, 3)
    assert row.dropped == {"no rgb": 1, "no silhouettes": 1, "too few pixels": 1}
    kept = [f"{key}/C1_a_{number:04d}" for number in (0, 4, 5)]
    masks = images({f"{name}.png": tree[f"{name}.png"] for name in kept}, key)
    np.testing.assert_array_equal(frames(tmp_path, key), align(masks, 64, CCPG).frames)
    rgb = read_pkl(tmp_path / "pkl" / key / "C1_a-rgb.pkl", "rgb")
    np.testing.assert_array_equal(rgb, colours(tree, [f"{name}.jpg" for name in kept]))


@pytest.mark.parametrize("how", ["symlink", "copy"])
def test_ccpg_materialised_is_its_silhouettes(
    tmp_path: Path, how: Literal["symlink", "copy"]
) -> None:
    tree = raw_trees.ccpg()
    lay(tmp_path / "raw", tree)
    prepared(tmp_path, "CCPG", files=dataset("CCPG").files)
    target = tmp_path / "tree"
    for _ in range(2):
        materialise(tmp_path / "sequences.csv", tmp_path / "raw", target, how)
    files = [path for path in target.rglob("*") if path.is_file()]
    made = {str(path.relative_to(target)): path.read_bytes() for path in files}
    assert made == {name: data for name, data in tree.items() if name.endswith(".png")}


def test_ccpg_is_checked_by_its_silhouettes(tmp_path: Path) -> None:
    tree = raw_trees.ccpg()
    tree["001/U0_D0/C1_a/C1_a_0003.png"] = b""
    tree["001/U0_D0/C1_a/C1_a_0004.jpg"] = b""
    lay(tmp_path / "raw", tree)
    findings = check(tmp_path, dataset("CCPG")).findings
    found = [each for each in findings if each.kind.startswith(("images", "sequences"))]
    assert {each.kind: each.count for each in found} == {
        "images without a byte": 1,
        "images unreadable, of 72 looked at": 1,
    }


def test_sustech1k(tmp_path: Path) -> None:
    tree = raw_trees.sustech1k()
    root, ignored = same_from(
        tmp_path,
        "SUSTech1K",
        lambda raw: lay(raw, {"SUSTeck1K-RAW.zip": zipped(tree)}),
        lambda raw: lay(raw / "SUSTech1K", tree),
        lambda raw: lay(raw, {name: data for name, data in tree.items() if "/Sils_al" in name}),
    )
    misplaced = "image outside <subject>/<condition>/<view>/"
    others = sum(not name.endswith((".png", ".jpg")) for name in tree)
    images_beside = len(tree) - others - sum("/Sils_aligned/" in name for name in tree)
    assert ignored[0] == {misplaced: images_beside, "other archive member": others}
    assert ignored[1] == {
        misplaced: images_beside,
        "other .json file": 4 * 3 * 9,
        "other .pcd file": 4 * 3 * 3,
    }
    assert ignored[2] == {}
    keys = [str(row.key) for row in scan(root / "raw", RawForm(dataset("SUSTech1K").layouts)).rows]
    subjects = ("0000", "0001", "0003", "1057")
    assert keys == [f"{who}/{key}" for who in subjects for key in raw_trees.SUSTECH1K]
    # The whole image, not aligned anew; all frames, however few clouds there are.
    given = images(tree, "0003/01-nm/000-far/Sils_aligned")
    scaled = [cv2.resize(each, (64, 64), interpolation=cv2.INTER_CUBIC) for each in given]
    assert len(scaled) == 9
    np.testing.assert_array_equal(frames(root, "0003/01-nm/000-far"), np.stack(scaled))


def test_sustech1k_paired_with_clouds_and_colours(tmp_path: Path) -> None:
    tree = raw_trees.sustech1k()
    lay(tmp_path / "raw/paired", tree)
    _, rows = prepared(tmp_path, "SUSTech1K", files=dataset("SUSTech1K").files)
    assert {row.frames_kept for row in rows.values()} == {3}
    key = "1057/01-bg-nt/090"
    assert rows[key].dropped == {"no depth within 20 ms": 6}
    # Every third frame is the one that a cloud shows.
    given = images(tree, f"{key}/Sils_aligned")[::3]
    scaled = [cv2.resize(each, (64, 64), interpolation=cv2.INTER_CUBIC) for each in given]
    np.testing.assert_array_equal(frames(tmp_path, key), np.stack(scaled))
    clouds = [
        read_point_cloud(data, name)
        for name, data in sorted(tree.items())
        if name.startswith(f"{key}/PCDs/")
    ]
    drawn = depth_images(clouds, 64).frames
    assert drawn.any()
    np.testing.assert_array_equal(modality(tmp_path, key, "depth"), drawn)
    points = read_pkl(tmp_path / "pkl" / key / "090-points.pkl", "points")
    assert isinstance(points, Ragged) and len(set(points.counts)) == 3
    np.testing.assert_array_equal(points.counts, [len(cloud) for cloud in clouds])
    np.testing.assert_array_equal(points.rows, np.concatenate(clouds))
    colours = [
        np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        for name, data in sorted(tree.items())
        if name.startswith(f"{key}/RGB_raw/")
    ]
    np.testing.assert_array_equal(
        modality(tmp_path, key, "rgb"), stretched(colours[::3], 128).frames
    )


def test_sustech1k_without_clouds_keeps_every_frame(tmp_path: Path) -> None:
    tree = raw_trees.sustech1k()
    lay(tmp_path / "raw/paired", {name: data for name, data in tree.items() if "PCD" not in name})
    _, rows = prepared(tmp_path, "SUSTech1K", files=dataset("SUSTech1K").files)
    assert {(row.frames_kept, str(row.dropped)) for row in rows.values()} == {(9, "{}")}
    assert len(modality(tmp_path, "0000/00-nm/000", "rgb")) == 9


def test_sustech1k_clouds_elsewhere_cost_no_silhouettes(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_trees.sustech1k())
    _, rows = prepared(tmp_path, "SUSTech1K", files=dataset("SUSTech1K").files)
    assert {(row.frames_kept, str(row.dropped)) for row in rows.values()} == {(9, "{}")}


def test_sustech1k_paired_in_its_archive(tmp_path: Path) -> None:
    tree = raw_trees.sustech1k()
    root, ignored = same_from(
        tmp_path,
        "SUSTech1K",
        lambda raw: lay(raw / "paired", tree),
        lambda raw: lay(raw / "paired", {"SUSTeck1K-RAW.zip": zipped(tree)}),
        files=dataset("SUSTech1K").files,
    )
    others = Counter(name.split("/")[3] for name in tree if not name.endswith(".json"))
    unused = {
        "image outside <subject>/<condition>/<view>/": sum(
            others[each] for each in ("Sils_raw", "PCDs_depths", "PCDs_sils")
        )
    }
    poses = sum(name.endswith(".json") for name in tree)
    assert ignored[0] == unused | {"other .json file": poses}
    assert ignored[1] == unused | {"other archive member": poses}
    manifest = read_manifest(root / "manifest.csv")
    modalities = {row.modality for row in manifest}
    assert modalities == {"silhouettes", "depth", "points", "rgb", "ratio"}
    # Elsewhere the archive gives all silhouettes, and nothing beside them.
    lay(tmp_path / "elsewhere/raw", {"SUSTeck1K-RAW.zip": zipped(tree)})
    _, rows = prepared(tmp_path / "elsewhere", "SUSTech1K", files=dataset("SUSTech1K").files)
    assert {row.frames_kept for row in rows.values()} == {9}
