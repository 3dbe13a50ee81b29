"""Datasets as they are given out become packed stores: every name and every quirk of theirs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.config.dataset import named_subjects
from gait.errors import DataError
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.silhouettes.align import align
from tests import raw_archives, raw_trees
from tests.raw_archives import tar, zipped
from tests.raw_trees import lay
from tests.unit.published_trees import dataset, frames, images, prepared, same_from, secret


def test_oumvlp(tmp_path: Path) -> None:
    tree = raw_trees.oumvlp()
    root, ignored = same_from(
        tmp_path,
        "OUMVLP",
        lambda raw: secret(raw, raw_archives.oumvlp_archives(tree)),
        lambda raw: secret(raw / "a/b", raw_archives.oumvlp_archives(tree)),
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
        lambda raw: secret(raw, raw_archives.grew_archives(tree)),
        lambda raw: lay(raw, raw_archives.grew_tgz(tree)),
        lambda raw: lay(raw / "GREW", raw_archives.grew_subjects(tree)),
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
    lay(tmp_path / "raw", tree | raw_archives.grew_tgz(tree))
    with pytest.raises(DataError, match=r"00001/01/A1b2C3d4 in .* and in .*more such pairs"):
        prepared(tmp_path, "GREW")


def test_casia_e(tmp_path: Path) -> None:
    tree = raw_trees.casia_e()
    root, ignored = same_from(
        tmp_path,
        "CASIA-E",
        lambda raw: lay(raw, raw_archives.casia_e_archives(tree)),
        lambda raw: lay(raw, raw_archives.casia_e_subjects(tree)),
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
    subjects = raw_archives.grouped(tree, lambda name: name[:3])
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
        lambda raw: lay(raw, raw_archives.hid_archives(tree, are_inside=True)),
        lambda raw: lay(raw / "in/between", raw_archives.hid_archives(tree, are_inside=False)),
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
