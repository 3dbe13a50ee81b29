"""Sequences without silhouette images: pkl files as raw material, paired and packed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.config.dataset import Dataset, Partition
from gait.errors import DataError
from gait.formats.manifest import ManifestRow, read_manifest
from gait.formats.pkl import read_pkl
from gait.prepare.catalogue.available import modalities_of_raw
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.catalogue.shards import merge_catalogue, rearrange
from gait.prepare.check import check
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from gait.prepare.pack import pack
from gait.prepare.sequences.pretreat import pretreat_shard

COMPANIONS = {
    "pkl_silhouettes": "{folder}/*-sils.pkl",
    "pkl_pose": "{folder}/*-pose.pkl",
    "pkl_ratio": "ratios/{subject}/{condition}/{view}/*.pkl",
}
SEQUENCES = ["001/nm-01/000", "001/nm-01/090", "002/nm-01/000"]


def arrays(key: str, frames: int = 5) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(list(key.encode()))
    return {
        "sils": rng.integers(0, 256, (frames, 64, 64), np.uint8),
        "pose": rng.uniform(1.0, 60.0, (frames, 17, 3)),
        "ratio": rng.uniform(0.3, 0.6, frames),
    }


def put(raw: Path, key: str, frames: int = 5) -> None:
    made = arrays(key, frames)
    folder, view = raw / key, key.rpartition("/")[2]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("sils", "pose"):
        (folder / f"{view}-{name}.pkl").write_bytes(pickle.dumps(made[name]))
    ratios = raw / "ratios" / key
    ratios.mkdir(parents=True, exist_ok=True)
    (ratios / "w-by-h.pkl").write_bytes(pickle.dumps(made["ratio"]))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for key in SEQUENCES:
        put(tmp_path / "raw", key)
    return tmp_path / "raw"


def prepared(raw: Path, files: dict[str, str] = COMPANIONS) -> dict[tuple[str, str], ManifestRow]:
    """The manifest's rows by sequence and modality."""
    root = raw.parent
    shard, output = root / "shards/1-of-1.csv", root / "shards/1-of-1.pkl.csv"
    rearrange(raw, RawForm(["pkl_tree"], files=files), shard, 1, 1)
    pretreat_shard(shard, raw, root, output)
    merge_catalogue([shard], root / "sequences.csv")
    pack([output], root, root / "manifest.csv", root / "packed", root / "sequences.csv")
    rows = read_manifest(root / "manifest.csv")
    return {(str(row.key), row.modality): row for row in rows}


def test_arrays_are_taken_as_they_are(raw: Path) -> None:
    rows = prepared(raw)
    made = {"silhouettes", "pose", "ratio", "skeleton_maps"}
    assert rows.keys() == {(key, modality) for key in SEQUENCES for modality in made}
    assert {(row.frames_read, row.frames_kept) for row in rows.values()} == {(5, 5)}
    root = raw.parent
    for key in SEQUENCES:
        expected = arrays(key)
        folder, view = root / "pkl" / key, key.rpartition("/")[2]
        np.testing.assert_array_equal(read_pkl(folder / f"{view}.pkl"), expected["sils"])
        np.testing.assert_array_equal(
            read_pkl(folder / f"{view}-pose.pkl", "pose"), expected["pose"]
        )
        maps = read_pkl(folder / f"{view}-skeleton_maps.pkl", "skeleton_maps")
        np.testing.assert_array_equal(maps, skeleton_maps(expected["pose"], 64))
    assert np.load(root / "packed/ratio.npy").shape == (15,)
    offered = modalities_of_raw(scan(raw, RawForm(["pkl_tree"], files=COMPANIONS)).rows)
    assert offered == made


def test_a_dataset_of_poses_alone(raw: Path) -> None:
    (raw / "001/nm-01/000/000-pose.pkl").write_bytes(b"")
    rows = prepared(raw, {"pkl_pose": COMPANIONS["pkl_pose"]})
    assert {modality for _, modality in rows} == {"pose", "skeleton_maps"}
    bad = rows["001/nm-01/000", "pose"]
    assert (bad.pkl, bad.frames_kept, bad.dropped) == ("", 0, {"no usable pkl of pose": 1})
    index = (raw.parent / "packed/index.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in index[1:]] == [
        ["001", "nm-01", "090"],
        ["002", "nm-01", "000"],
    ]


def test_arrays_of_different_lengths_are_never_paired(raw: Path) -> None:
    put(raw, "001/nm-01/090", 5)
    (raw / "001/nm-01/090/090-pose.pkl").write_bytes(pickle.dumps(np.ones((4, 17, 3))))
    rows = prepared(raw)
    assert rows["001/nm-01/090", "silhouettes"].pkl == ""
    told = {row.key.view: row.dropped for row in rows.values() if row.key.subject == "001"}
    assert told == {"000": {}, "090": {"files of different lengths": 5}}


def test_a_sequence_that_lacks_a_file_is_left_out(raw: Path) -> None:
    (raw / "ratios/002/nm-01/000/w-by-h.pkl").unlink()
    row = prepared(raw)["002/nm-01/000", "silhouettes"]
    assert (row.pkl, row.frames_read, row.dropped) == ("", 5, {"no ratio": 5})


def test_a_changed_array_is_noticed(raw: Path) -> None:
    prepared(raw)
    put(raw, "002/nm-01/000", 7)
    rows = prepared(raw)
    assert rows["002/nm-01/000", "ratio"].frames_kept == 7
    assert rows["001/nm-01/000", "ratio"].frames_kept == 5


def test_files_that_no_pattern_names_are_counted(raw: Path) -> None:
    (raw / "001/nm-01/000/000-extra.pkl").write_bytes(b"")
    (raw / "001/nm-01/000/readme.txt").write_bytes(b"")
    found = scan(raw, RawForm(["pkl_tree"], files=COMPANIONS))
    assert found.ignored == {"other .pkl file": 1, "other .txt file": 1}


def test_a_tree_of_which_nothing_is_named_is_refused(raw: Path) -> None:
    message = r"expected files of the kinds under 'files' .*, found none for 001/nm-01/000 in 001"
    with pytest.raises(DataError, match=message) as told:
        scan(raw, RawForm(["pkl_tree"], files={"pkl_parsing": "{folder}/*-par.pkl"}))
    assert min(path.name for path in (raw / "001/nm-01/000").iterdir()) in str(told.value)


def test_one_modality_from_two_files_is_refused(raw: Path) -> None:
    files = {"pkl_pose": COMPANIONS["pkl_pose"], "pose_text": "{folder}/*.pkl"}
    with pytest.raises(DataError, match=r"pkl_pose and pose_text both give pose there"):
        scan(raw, RawForm(["pkl_tree"], files=files))


def test_a_check_knows_that_arrays_are_no_pictures(raw: Path) -> None:
    definition = Dataset(
        name="mine",
        title="",
        licence="",
        obtain="",
        layouts=["pkl_tree"],
        files=COMPANIONS,
        partition=Partition(train=["001"], test=["002"]),
        protocols={},
    )
    assert check(raw.parent, definition).findings == []
