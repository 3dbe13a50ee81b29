"""Datasets as they are given out become packed stores: every name and every quirk of theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.dataset import Dataset, named_subjects
from gait.config.load import load_dataset
from gait.errors import DataError
from gait.formats.catalogue import read_rows
from gait.formats.manifest import ManifestRow, read_manifest
from gait.formats.pkl import read_pkl
from gait.modalities import SILHOUETTES
from gait.prepare.catalogue.materialise import materialise
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import Sequences, scan
from gait.prepare.catalogue.shards import merge_catalogue, rearrange
from gait.prepare.check import check
from gait.prepare.modalities.crops import squeezed
from gait.prepare.modalities.depth import depth_images
from gait.prepare.modalities.point_cloud import read_point_cloud
from gait.prepare.pack import pack
from gait.prepare.raw.archives import Contents, Member, Names, opened
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.align import CCPG, align
from gait.ragged import Ragged
from tests import raw_trees
from tests.raw_trees import PASSWORD, Tree, lay, tar, zipped

REPOSITORY = Path(__file__).parents[2]


def dataset(name: str) -> Dataset:
    return load_dataset(REPOSITORY, name)[0]


def prepared(
    root: Path,
    name: str,
    shards: int = 2,
    files: Mapping[str, str] | None = None,
    lead: str = SILHOUETTES,
) -> tuple[Sequences, dict[str, ManifestRow]]:
    """The raw data below `root`, taken as far as the packed store.

    Returns:
        What was found, and the manifest's rows of the modality `lead` by key.
    """
    definition = dataset(name)
    tables = [root / "shards" / f"{number}-of-{shards}.csv" for number in range(1, shards + 1)]
    outputs = [table.with_suffix(".pkl.csv") for table in tables]
    for number, (table, output) in enumerate(zip(tables, outputs, strict=True), 1):
        found = rearrange(
            root / "raw", RawForm(definition.layouts, files=files or {}), table, number, shards
        )
        pretreat_shard(table, root / "raw", root, output, definition.pretreat)
    merge_catalogue(tables, root / "sequences.csv")
    pack(outputs, root, root / "manifest.csv", root / "packed", root / "sequences.csv")
    manifest = read_manifest(root / "manifest.csv")
    rows = {str(row.key): row for row in manifest if row.modality == lead}
    assert rows.keys() == {str(row.key) for row in found.rows}
    return found, rows


def frames(root: Path, key: str) -> NDArray[np.uint8]:
    return read_pkl(root / "pkl" / key / f"{key.rpartition('/')[2]}.pkl")


def modality(root: Path, key: str, name: str) -> NDArray[np.uint8]:
    found = read_pkl(root / "pkl" / key / f"{key.rpartition('/')[2]}-{name}.pkl", name)
    assert isinstance(found, np.ndarray)
    return found


def images(tree: Tree, folder: str) -> list[NDArray[np.uint8]]:
    """What is in a folder of a tree, in the order of names."""
    return [
        np.asarray(
            cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8
        )
        for name, data in sorted(tree.items())
        if name.rpartition("/")[0] == folder and name.endswith((".png", ".jpg"))
    ]


def secret(raw: Path, tree: Tree) -> None:
    """Lays archives and their password."""
    lay(raw, tree | {"password.txt": PASSWORD.encode()})


def pkl_tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in (root / "pkl").rglob("*.pkl")
    }


def same_from(
    tmp_path: Path,
    name: str,
    *forms: Callable[[Path], None],
    files: Mapping[str, str] | None = None,
) -> tuple[Path, list[dict[str, int]]]:
    """Prepares each form of the same data, which all have to give the same pkl tree.

    Returns:
        The root of the first form, and what each did not use.
    """
    roots = []
    ignored = []
    for number, form in enumerate(forms):
        root = tmp_path / str(number)
        form(root / "raw")
        found, _ = prepared(root, name, files=files)
        roots.append(root)
        ignored.append(found.ignored)
    first = pkl_tree(roots[0])
    assert first
    assert all(pkl_tree(root) == first for root in roots[1:])
    return roots[0], ignored


def test_oumvlp(tmp_path: Path) -> None:
    tree = raw_trees.oumvlp()
    root, ignored = same_from(
        tmp_path,
        "OUMVLP",
        lambda raw: secret(raw, raw_trees.oumvlp_archives(tree)),
        lambda raw: secret(raw / "a/b", raw_trees.oumvlp_archives(tree)),
        lambda raw: lay(raw, tree),
    )
    assert ignored == [{}, {}, {}]
    keys = {str(row.key) for row in scan(root / "raw", RawForm(dataset("OUMVLP").layouts)).rows}
    assert len(keys) == 4 * 2 * 2 - 2
    assert "00003/00/000" in keys and "00003/00/090" not in keys
    expected = align(images(tree, "Silhouette_090-01/00002"), 64).frames
    np.testing.assert_array_equal(frames(root, "00002/01/090"), expected)


def test_grew(tmp_path: Path) -> None:
    tree = raw_trees.grew()
    root, ignored = same_from(
        tmp_path,
        "GREW",
        lambda raw: secret(raw, raw_trees.grew_archives(tree)),
        lambda raw: lay(raw, raw_trees.grew_tgz(tree)),
        lambda raw: lay(raw / "GREW", raw_trees.grew_subjects(tree)),
        lambda raw: lay(raw, tree),
    )
    files = sum(name.endswith(".txt") or "gei" in name for name in tree)
    assert ignored[:3] == [{"other archive member": files}] * 3
    assert sum(ignored[3].values()) == files
    keys = [row.key for row in scan(root / "raw", RawForm(dataset("GREW").layouts)).rows]
    # By name, digits before capitals before small letters.
    assert [str(key) for key in keys] == [
        "00001/01/A1b2C3d4",
        "00001/02/zQ3kA9b0",
        "00001train/00/A1b2C3d4",
        "00001train/00/zQ3kA9b0",
        "00002/01/A1b2C3d4",
        "00002/02/zQ3kA9b0",
        "00002train/00/A1b2C3d4",
        "00002train/00/zQ3kA9b0",
        "probe/03/0a1B2c3D",
        "probe/03/Hh7Gg6Ff",
        "probe/03/m0N1o2P3",
    ]
    partition = dataset("GREW").partition
    known = named_subjects(partition.train) | named_subjects(partition.test)
    assert {key.subject for key in keys} <= known
    # As they are, nothing aligned anew.
    expected = images(tree, "test/gallery/00002/zQ3kA9b0")
    np.testing.assert_array_equal(frames(root, "00002/02/zQ3kA9b0"), np.stack(expected))


def test_grew_of_mixed_sizes(tmp_path: Path) -> None:
    tree = raw_trees.grew()
    odd = "train/00001/zQ3kA9b0/00002.png"
    tree[odd] = raw_trees.encoded(raw_trees.figure(1, 1, 63, 64))
    lay(tmp_path / "raw", tree)
    _, rows = prepared(tmp_path, "GREW")
    row = rows["00001train/00/zQ3kA9b0"]
    assert (row.frames_kept, row.dropped) == (5, {"not 64 x 64 px": 1})
    assert rows["00001/02/zQ3kA9b0"].frames_kept == 6


def test_grew_sequence_in_both_its_archive_and_unpacked(tmp_path: Path) -> None:
    tree = raw_trees.grew()
    lay(tmp_path / "raw", tree | raw_trees.grew_tgz(tree))
    with pytest.raises(DataError, match=r"00001/01/A1b2C3d4 in .* and in .*more such pairs"):
        prepared(tmp_path, "GREW")


def test_casia_e(tmp_path: Path) -> None:
    tree = raw_trees.casia_e()
    root, ignored = same_from(
        tmp_path,
        "CASIA-E",
        lambda raw: lay(raw, raw_trees.casia_e_archives(tree)),
        lambda raw: lay(raw, raw_trees.casia_e_subjects(tree)),
        lambda raw: lay(raw, tree),
    )
    assert ignored == [{}, {}, {}]
    _, rows = prepared(root, "CASIA-E")
    assert len(rows) == 4 * 3 * 2 * 3
    short = rows["202/H-scene2-bg-1/000"]
    assert (short.pkl, short.frames_kept) == ("", 0)
    assert short.dropped == {"sequence of fewer than 6 frames": 5}
    assert rows["202/H-scene2-bg-1/090"].frames_kept == 7
    # The whole image, whatever its aspect; one of that size already is not touched.
    tall = images(tree, "forTrain/600/H/scene3_s/bg/000/1")
    expected = [cv2.resize(each, (64, 64), interpolation=cv2.INTER_LINEAR) for each in tall]
    np.testing.assert_array_equal(frames(root, "600/H-scene3_s-bg-1/000"), np.stack(expected))
    square = images(tree, "forTrain/600/H/scene1/nm/090/1")
    np.testing.assert_array_equal(frames(root, "600/H-scene1-nm-1/090"), np.stack(square))


def test_casia_b_in_the_zip_file_as_it_comes(tmp_path: Path) -> None:
    tree = {
        f"{who:03d}/nm-0{number}/090/{who:03d}-nm-0{number}-090-{step:03d}.png": raw_trees.encoded(
            raw_trees.figure(who, step, 240, 320)
        )
        for who in (1, 2)
        for number in (1, 2)
        for step in range(9, 14)
    }
    subjects = raw_trees.grouped(tree, lambda name: name[:3])
    archives = {f"{who}.tar.gz": tar(part, compressed=True) for who, part in subjects.items()}
    root, _ = same_from(
        tmp_path,
        "CASIA-B",
        lambda raw: lay(raw, {"GaitDatasetB-silh.zip": zipped(archives)}),
        lambda raw: lay(raw, archives),
        lambda raw: lay(raw, tree),
    )
    (row, *_) = scan(root / "raw", RawForm(dataset("CASIA-B").layouts)).rows
    assert str(row.source) == "GaitDatasetB-silh.zip::001.tar.gz::001/nm-01/090"


def test_gait3d(tmp_path: Path) -> None:
    tree = raw_trees.gait3d()
    silhouettes = {name: data for name, data in tree.items() if name.startswith("2D_Sil")}
    root, ignored = same_from(
        tmp_path,
        "Gait3D",
        lambda raw: lay(raw, tree),
        lambda raw: lay(raw, {"2D_Silhouettes.zip": zipped(silhouettes)}),
        lambda raw: lay(raw, {name.partition("/")[2]: data for name, data in silhouettes.items()}),
    )
    others = sum("2D_Parsings" in name for name in tree)
    assert ignored[0] == {
        "image outside <subject>/<condition>/<view>/": others,
        "other .txt file": others,
    }
    assert ignored[1:] == [{}, {}]
    # As published: f10000 comes before f9997.
    folder = "2D_Silhouettes/0007/camid7_videoid2/seq1"
    expected = align(images(tree, folder), 64).frames
    np.testing.assert_array_equal(frames(root, "0007/camid7_videoid2/seq1"), expected)
    first = tree[f"{folder}/human_crop_f10000.png"]
    alone = align(images({f"{folder}/1.png": first}, folder), 64).frames
    np.testing.assert_array_equal(expected[0], alone[0])


def test_scoliosis1k(tmp_path: Path) -> None:
    tree = raw_trees.scoliosis1k()
    root, ignored = same_from(
        tmp_path,
        "Scoliosis1K",
        lambda raw: lay(raw, tree),
        lambda raw: lay(raw, {"Scoliosis1K-sil-raw.zip": zipped(tree)}),
    )
    assert ignored == [{}, {}]
    keys = {
        str(row.key) for row in scan(root / "raw", RawForm(dataset("Scoliosis1K").layouts)).rows
    }
    assert keys == {"00000/positive/000_180", "00001/neutral/000_180", "00002/negative/000_180"}


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
    squeezed = [cv2.resize(mask, (128, 128)) for mask in masks]
    unaligned = read_pkl(folder / "C2_b_c-masks.pkl", "masks")
    np.testing.assert_array_equal(unaligned, np.stack(squeezed))
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


@pytest.mark.parametrize(
    ("year", "folders", "keys"),
    [
        (
            "HID2022",
            raw_trees.HID_2022,
            ("0000/001", "0499/002", "0500/gal1", "probe/00001", "probe/00002"),
        ),
        (
            "HID2025",
            raw_trees.HID_2025,
            (
                "00000/0001",
                "00858/0002",
                "probe_phase1/10",
                "probe_phase2/10",
                "probe_phase2/20",
            ),
        ),
    ],
)
def test_hid(tmp_path: Path, year: str, folders: tuple[str, ...], keys: tuple[str, ...]) -> None:
    tree = raw_trees.hid(folders)
    root, ignored = same_from(
        tmp_path,
        year,
        lambda raw: lay(raw, tree),
        lambda raw: lay(raw, raw_trees.hid_archives(tree, are_inside=True)),
        lambda raw: lay(raw / "in/between", raw_trees.hid_archives(tree, are_inside=False)),
    )
    assert ignored == [{}, {}, {}]
    found = [str(row.key) for row in scan(root / "raw", RawForm(dataset(year).layouts)).rows]
    assert found == [f"{key}/default" for key in keys]
    for folder, key in zip(folders, found, strict=True):
        np.testing.assert_array_equal(frames(root, key), np.stack(images(tree, folder)))


@pytest.mark.parametrize(
    ("folder", "subject"),
    [
        # Both archives unpacked into one folder, as the published preparation has it.
        ("hid_2025/probe", "probe"),
        ("probe_phase1/probe", "probe_phase1"),
        ("phase2/probe", "probe_phase2"),
        ("hid/phase1/probe_phase-02", "probe_phase2"),
    ],
)
def test_the_phase_of_hid_s_probes_is_in_the_names_above_them(
    tmp_path: Path, folder: str, subject: str
) -> None:
    lay(tmp_path / "raw", raw_trees.hid([f"{folder}/10", "hid_2025/00000/0001"], frames=1))
    found = [
        str(row.key) for row in scan(tmp_path / "raw", RawForm(dataset("HID2025").layouts)).rows
    ]
    assert found == ["00000/0001/default", f"{subject}/10/default"]


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
        modality(tmp_path, key, "rgb"), squeezed(colours[::3], 128).frames
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


def test_a_cut_archive_loses_its_own_frames_only(tmp_path: Path) -> None:
    subjects = raw_trees.casia_e_subjects(raw_trees.casia_e((1, 2)))
    subjects["001.tar"] = subjects["001.tar"][: len(subjects["001.tar"]) // 2]
    lay(tmp_path / "raw", {"train001-500.zip": zipped(subjects)})
    found, rows = prepared(tmp_path, "CASIA-E")
    (problem,) = found.ignored
    assert problem.startswith("archive train001-500.zip::001.tar, damaged (")
    told = {key for key, row in rows.items() if "archive cut short" in row.dropped}
    assert len(told) == 1 and told < {key for key in rows if key.startswith("001/")}
    assert all(row.pkl for key, row in rows.items() if key.startswith("002/"))


def test_a_wrong_password_stops_before_anything_is_made(tmp_path: Path) -> None:
    lay(tmp_path / "raw", raw_trees.oumvlp_archives(raw_trees.oumvlp((1,))))
    lay(tmp_path / "raw", {"password.txt": b"guess"})
    with pytest.raises(DataError, match=r"Silhouette_000-00\.7z: does not open with the passw"):
        prepared(tmp_path, "OUMVLP")
    assert not (tmp_path / "shards").exists()


def by_archive(root: Path, archives: Mapping[str, Tree], order: tuple[int, ...]) -> set[str]:
    """Lays OU-MVLP's archives anew and makes shards of them, one an archive, in some order.

    Returns:
        The keys of what is in the pkl tree.
    """
    definition = dataset("OUMVLP")
    lay(root / "raw", {name: raw_trees.seven(tree) for name, tree in archives.items()})
    for number in order:
        table = root / f"shards/{number}-of-{len(order)}.csv"
        rearrange(root / "raw", RawForm(definition.layouts), table, number, len(order))
        assert len({str(row.source).partition("::")[0] for row in read_rows(table)}) == 1
        output = table.with_suffix(".pkl.csv")
        pretreat_shard(table, root / "raw", root, output, definition.pretreat)
        assert all((root / row.pkl).is_file() for row in read_manifest(output))
    return {str(path.parent.relative_to(root / "pkl")) for path in root.rglob("*.pkl")}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_sequence_that_moves_to_the_archive_of_another_shard(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    tree = raw_trees.oumvlp((1, 2, 4))
    parts = raw_trees.grouped(tree, lambda name: name.split("/")[0])
    first, second = "Silhouette_000-00.7z", "Silhouette_090-01.7z"
    one = parts["Silhouette_000-00"] | parts["Silhouette_000-01"] | parts["Silhouette_090-00"]
    two = parts["Silhouette_090-01"]
    keys = by_archive(tmp_path, {first: one, second: two}, order)
    views = ("00/000", "00/090", "01/000", "01/090")
    assert keys == {f"{who:05d}/{rest}" for who in (1, 2, 4) for rest in views}
    leaves = {name: data for name, data in one.items() if "000-00/00002/" in name}
    goes = {name: data for name, data in one.items() if "000-00/00004/" in name}
    stays = {name: data for name, data in one.items() if name not in leaves | goes}
    assert by_archive(tmp_path, {first: stays, second: two | leaves}, order) == keys - {
        "00004/00/000"
    }
    expected = align(images(tree, "Silhouette_000-00/00002"), 64).frames
    np.testing.assert_array_equal(frames(tmp_path, "00002/00/000"), expected)
    # Each journal is that of one subject in one archive.
    journals = list((tmp_path / "journal/pretreat").glob("*/*.csv"))
    assert len(journals) == 3 + 3


def test_a_change_of_the_number_of_shards_makes_nothing_anew(tmp_path: Path) -> None:
    parts = raw_trees.grouped(raw_trees.oumvlp((1, 2, 4)), lambda name: name.split("/")[0])
    lay(tmp_path / "raw", {f"{name}.7z": raw_trees.seven(tree) for name, tree in parts.items()})
    prepared(tmp_path, "OUMVLP", shards=4)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pkl").rglob("*.pkl")}
    # By subject, as there are fewer archives than shards.
    prepared(tmp_path, "OUMVLP", shards=5)
    prepared(tmp_path, "OUMVLP", shards=2)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "pkl").rglob("*.pkl")}
    assert len(before) == 12 and after == before


def test_each_archive_is_listed_once_and_unpacked_for_one_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = raw_trees.grouped(raw_trees.oumvlp(), lambda name: name.split("/")[0])
    lay(tmp_path / "raw", {f"{name}.7z": raw_trees.seven(tree) for name, tree in parts.items()})
    read: Counter[str] = Counter()

    def noted(
        path: Path, wanted: Mapping[str, Names], contents: Contents | None = None
    ) -> AbstractContextManager[Iterator[Member]]:
        read[path.name] += 1
        return opened(path, wanted, contents)

    monkeypatch.setattr("gait.prepare.raw.extraction.opened", noted)
    prepared(tmp_path, "OUMVLP", shards=4)
    assert read == {f"{name}.7z": 1 for name in parts}


def test_each_archive_is_listed_once_and_read_once_a_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path / "raw", raw_trees.grew_tgz(raw_trees.grew()))
    opened: Counter[str] = Counter()
    plain = Path.open

    def noted(self: Path, *arguments: str, **options: str) -> object:
        if self.suffix == ".tgz":
            opened[self.name] += 1
        return plain(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", noted)
    prepared(tmp_path, "GREW", shards=2)
    assert opened["train.tgz"] <= 3 and opened["test.tgz"] <= 3
