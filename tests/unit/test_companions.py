"""Files of further modalities beside silhouettes: found, catalogued, and paired frame by frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gait.config.dataset import Dataset, Pretreat
from gait.errors import DataError
from gait.formats.catalogue import (
    CatalogueRow,
    Companion,
    RowKind,
    read_rows,
    rows_digest,
    rows_text,
)
from gait.formats.manifest import ManifestRow, read_manifest
from gait.formats.pkl import read_pkl
from gait.formats.source import File
from gait.prepare.catalogue.available import modalities_of_raw
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.prepare.catalogue.shards import rearrange
from gait.prepare.modalities.skeleton_maps import skeleton_maps
from gait.prepare.pack import PackSummary, pack
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.align import PARSING, align
from gait.ragged import Ragged
from gait.types import SequenceKey

# As Gait3D comes, with the contents of its folder of silhouettes right below the raw folder.
GAIT3D = {
    "pose_text": "2D_Poses/{subject}/{condition}/{view}/*.txt",
    "parsing": "2D_Parsings/{subject}/{condition}/{view}/*.png",
    "smpl": "3D_SMPLs/{subject}/{condition}/{view}/*.npz",
}
SEQUENCE = "0000/camid0_videoid2/seq0"
NUMBERS = [9996, 9998, 10000, 10002, 10004]


def figure(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = np.zeros((90, 70), np.uint8)
    cv2.ellipse(image, (20 + number % 20, 45), (10, 35), 0, 0, 360, 255, -1)
    return image


def joints(number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(number).uniform(1.0, 60.0, (17, 3))


def body(number: int) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    rng = np.random.default_rng(number)
    sizes = {"poses": 72, "betas": 10, "cam": 3}
    return {part: rng.random(size, np.float32) for part, size in sizes.items()}


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def png(image: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def text(number: int) -> bytes:
    return ",".join(map(repr, [320, 240, *joints(number).ravel().tolist()])).encode()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A sequence of five frames with everything in each."""
    folder = tmp_path / "raw"
    for number in NUMBERS:
        name = f"human_crop_f{number}"
        put(folder / SEQUENCE / f"{name}.png", png(figure(number)))
        put(folder / "2D_Parsings" / SEQUENCE / f"{name}.png", png(figure(number) // 51))
        put(folder / "2D_Poses" / SEQUENCE / f"{name}.txt", text(number))
        npz = folder / "3D_SMPLs" / SEQUENCE / f"{name}.npz"
        npz.parent.mkdir(parents=True, exist_ok=True)
        np.savez(npz, allow_pickle=True, results={0: body(number)})  # type: ignore[arg-type]
    return folder


def pretreated(raw: Path, files: dict[str, str], min_frames: int = 1) -> list[ManifestRow]:
    root = raw.parent
    shard, output = root / "shards" / "1-of-1.csv", root / "shards" / "1-of-1.pkl.csv"
    rearrange(raw, RawForm(["image_tree"], files=files), shard, 1, 1)
    pretreat_shard(shard, raw, root, output, Pretreat(min_frames=min_frames))
    return read_manifest(output)


def arrays(raw: Path, rows: list[ManifestRow]) -> dict[str, np.ndarray[Any, Any]]:
    found = {row.modality: read_pkl(raw.parent / row.pkl, row.modality) for row in rows}
    return {modality: each for modality, each in found.items() if isinstance(each, np.ndarray)}


def test_every_modality_gets_its_pkl_with_the_same_frames(raw: Path) -> None:
    rows = pretreated(raw, GAIT3D)
    found = arrays(raw, rows)
    # By name, as the published program has it: f10000 before f9996.
    order = [10000, 10002, 10004, 9996, 9998]
    np.testing.assert_array_equal(
        found["silhouettes"], align([figure(number) for number in order], 64).frames
    )
    labels = [figure(number) // 51 for number in order]
    np.testing.assert_array_equal(found["parsing"], align(labels, 64, PARSING).frames)
    pose = np.stack([joints(number) for number in order])
    np.testing.assert_array_equal(found["pose"], pose)
    np.testing.assert_array_equal(found["skeleton_maps"], skeleton_maps(pose, 64))
    smpl = [[body(number)[part] for part in ("cam", "poses", "betas")] for number in order]
    np.testing.assert_array_equal(found["smpl"], [np.concatenate(parts) for parts in smpl])
    assert {(row.frames_read, row.frames_kept) for row in rows} == {(5, 5)}
    assert all(row.dropped == {} for row in rows)


def test_a_frame_that_one_lacks_is_dropped_from_all(raw: Path) -> None:
    put(raw / SEQUENCE / "human_crop_f9996.png", png(np.zeros((90, 70), np.uint8)))
    put(raw / SEQUENCE / "human_crop_f1.png", b"broken")
    put(raw / "2D_Poses" / SEQUENCE / "human_crop_f9998.txt", b"320,240,1")
    put(raw / "2D_Poses" / SEQUENCE / "human_crop_f7.txt", text(7))
    (raw / "3D_SMPLs" / SEQUENCE / "human_crop_f10000.npz").unlink()
    rows = pretreated(raw, GAIT3D)
    found = arrays(raw, rows)
    np.testing.assert_array_equal(found["pose"], [joints(10002), joints(10004)])
    assert {len(each) for each in found.values()} == {2}
    for row in rows:
        assert row.dropped == {
            "no silhouettes": 1,
            "no smpl": 1,
            "too few pixels": 1,
            "unreadable": 1,
            "unreadable pose": 1,
        }
        assert (row.frames_read, row.frames_kept) == (7, 2)


def test_when_no_frame_is_left_there_is_no_pkl(raw: Path) -> None:
    assert len(pretreated(raw, GAIT3D)) == 5
    for path in (raw / "2D_Poses" / SEQUENCE).iterdir():
        path.write_bytes(b"")
    (row,) = pretreated(raw, GAIT3D)
    assert (row.pkl, row.frames_read, row.dropped) == ("", 5, {"unreadable pose": 5})
    assert not list((raw.parent / "pkl").rglob("*.pkl"))


def test_what_is_too_short_once_frames_are_joined_is_left_out(raw: Path) -> None:
    (raw / "3D_SMPLs" / SEQUENCE / "human_crop_f10000.npz").unlink()
    (row,) = pretreated(raw, GAIT3D, min_frames=5)
    assert row.dropped == {"no smpl": 1, "sequence of fewer than 5 frames": 4}
    assert (row.pkl, row.frames_read, row.frames_kept) == ("", 5, 0)


def test_a_kind_that_no_sequence_has_is_not_asked_for(raw: Path) -> None:
    rows = pretreated(raw, GAIT3D | {"pose_text": "poses/{subject}/{condition}/{view}/*.txt"})
    assert [row.modality for row in rows] == ["parsing", "silhouettes", "smpl"]


def test_a_sequence_that_lacks_what_others_have_is_left_out(raw: Path) -> None:
    put(raw / "0001/camid0_videoid2/seq1/human_crop_f1.png", png(figure(1)))
    rows = pretreated(raw, GAIT3D)
    assert (rows[-1].pkl, rows[-1].dropped) == ("", {"no parsing": 1})
    summary = packed(raw)
    assert (summary.sequences, summary.frames, summary.left_out) == (1, 5, 1)
    assert summary.others == ("parsing", "pose", "skeleton_maps", "smpl")


def packed(raw: Path) -> PackSummary:
    root = raw.parent
    shard, output = root / "shards" / "1-of-1.csv", root / "shards" / "1-of-1.pkl.csv"
    return pack([output], root, root / "manifest.csv", root / "packed", shard)


def touch_pose(raw: Path) -> None:
    put(raw / "2D_Poses" / SEQUENCE / "human_crop_f9998.txt", text(3))


def remove_pkl(raw: Path) -> None:
    (raw.parent / "pkl" / SEQUENCE / "seq0-smpl.pkl").unlink()


@pytest.mark.parametrize("change", [touch_pose, remove_pkl])
def test_a_change_is_noticed_and_nothing_else(raw: Path, change: Callable[[Path], None]) -> None:
    rows = pretreated(raw, GAIT3D)
    before = {path: path.read_bytes() for path in (raw.parent / "pkl").rglob("*.pkl")}
    path = raw.parent / "pkl" / SEQUENCE / "seq0.pkl"
    modified = path.stat().st_mtime_ns
    assert pretreated(raw, GAIT3D) == rows
    change(raw)
    pretreated(raw, GAIT3D)
    after = {path: path.read_bytes() for path in (raw.parent / "pkl").rglob("*.pkl")}
    assert after.keys() == before.keys()
    assert (after == before) == (change is remove_pkl)
    assert path.stat().st_mtime_ns == modified


def test_poses_and_silhouettes_in_one_folder(raw: Path) -> None:
    """As GREW has them."""
    for number in (1, 2, 3):
        put(raw / "a/00/x" / f"{number:05d}.png", png(figure(number)))
        put(raw / "a/00/x" / f"{number:05d}_2d_pose.txt", text(number))
        put(raw / "a/00/x" / f"{number:05d}_3d_pose.txt", b"1,2,3")
    rows = pretreated(raw, {"pose_text": "{folder}/*_2d_pose.txt"})
    first = [row for row in rows if row.key.subject == "a"]
    found = arrays(raw, first)
    np.testing.assert_array_equal(found["pose"], [joints(number) for number in (1, 2, 3)])


def test_the_walker_of_several_people_is_on_the_silhouette(tmp_path: Path) -> None:
    """As OU-MVLP has them; the silhouettes as they lie in their images decide."""
    raw = tmp_path / "raw"
    for number in range(3):
        put(raw / "00001/00/000" / f"{number:04d}.png", png(figure(number)))
        on = np.tile([20.0 + number, 45.0, 1.0], (18, 1))
        off = on - [15.0, 0.0, 0.0]
        people = [{"pose_keypoints_2d": each.ravel().tolist()} for each in (off, on)]
        content = json.dumps({"people": people}).encode()
        put(raw / "poses/00001/000_00" / f"{number:04d}_keypoints.json", content)
    pattern = {"pose_json": "poses/{subject}/{view}_{condition}/*.json"}
    pose = arrays(raw, pretreated(raw, pattern))["pose"]
    np.testing.assert_array_equal(pose[:, 0, 0], [20.0, 21.0, 22.0])


def test_what_lies_beside_is_used_and_its_change_is_the_shards(raw: Path) -> None:
    plain = scan(raw, RawForm(["image_tree"]))
    assert plain.ignored == {
        "image outside <subject>/<condition>/<view>/": 5,
        "other .npz file": 5,
        "other .txt file": 5,
    }
    put(raw / "notes.txt", b"")
    found = scan(raw, RawForm(["image_tree"], files=GAIT3D))
    assert found.ignored == {"other .txt file": 1}
    (row,) = found.rows
    files = {each.kind: str(each.files) for each in row.companions}
    assert files["smpl"] == f"3D_SMPLs/{SEQUENCE}/*.npz"
    assert rows_digest(scan(raw, RawForm(["image_tree"], files=GAIT3D)).rows) == rows_digest(
        found.rows
    )
    touch_pose(raw)
    assert rows_digest(scan(raw, RawForm(["image_tree"], files=GAIT3D)).rows) != rows_digest(
        found.rows
    )


def test_files_of_two_kinds_are_used_once(raw: Path) -> None:
    clouds = "clouds/{subject}/{condition}/{view}/*.pcd"
    for number in NUMBERS:
        points = "".join(f"-8 {place} 0\n" for place in range(number % 7 + 1))
        header = f"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS {number % 7 + 1}\nDATA ascii\n"
        name = f"human_crop_f{number}.pcd"
        put(raw / "clouds" / SEQUENCE / name, f"{header}{points}".encode())
    put(raw / "mine.pcd", b"")
    both = {"depth": clouds, "points": clouds}
    assert scan(raw, RawForm(["image_tree"], files=both)).ignored["other .pcd file"] == 1
    rows = pretreated(raw, both)
    assert {row.modality for row in rows} == {"silhouettes", "depth", "points"}
    assert {row.frames_kept for row in rows} == {5}
    # In the order of names, 10000 before 9996.
    points_row = next(row for row in rows if row.modality == "points")
    found = read_pkl(raw.parent / points_row.pkl, "points")
    assert isinstance(found, Ragged)
    assert found.counts.tolist() == [5, 7, 2, 1, 3]
    packed(raw)


def test_a_catalogue_keeps_what_lies_beside(raw: Path) -> None:
    shard = raw.parent / "shards" / "1-of-1.csv"
    rows = rearrange(raw, RawForm(["image_tree"], files=GAIT3D), shard, 1, 1).rows
    assert read_rows(shard) == rows


@pytest.mark.parametrize("files", ["{", "[]", "{}", '{"hair": ["a/*", "1"]}', '{"smpl": [1, 2]}'])
def test_a_malformed_column_is_refused(files: str, tmp_path: Path) -> None:
    row = CatalogueRow(SequenceKey("a", "b", "c"), RowKind.IMAGES, File("a/b/c"))
    table = tmp_path / "sequences.csv"
    (header, line, _) = rows_text([row]).split("\n")
    cell = files.replace('"', '""')
    table.write_text(f'{header}\n{line}"{cell}"\n')
    with pytest.raises(DataError, match="a/b/c: expected companion files as JSON"):
        read_rows(table)


def test_nothing_outside_the_raw_folder_is_read(raw: Path) -> None:
    outside = raw.parent / "elsewhere"
    put(outside / "human_crop_f9998.txt", text(1))
    link = raw / "2D_Poses" / SEQUENCE / "human_crop_f9998.txt"
    link.unlink()
    link.symlink_to(outside / "human_crop_f9998.txt")
    with pytest.raises(DataError, match="stays below"):
        scan(raw, RawForm(["image_tree"], files=GAIT3D))


def test_two_files_of_one_frame_cost_their_sequence(
    raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(raw / "2D_Poses" / SEQUENCE / "human_crop_f9998_2d_pose.txt", text(1))
    [row] = pretreated(raw, GAIT3D)
    assert list(row.dropped) == ["files that cannot be used together"]
    assert row.frames_read == row.dropped["files that cannot be used together"] > 1
    assert f"sequence {SEQUENCE}: pose: expected each frame once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"pose": "{folder}/*.txt"}, "'pose' is no kind of files; did you mean"),
        ({"smpl": "smpl/{suject}/*.npz"}, "smpl: {suject} is unknown; did you mean 'subject'"),
        ({"smpl": "smpl/{subject/*.npz"}, "is no pattern"),
        ({"smpl": "smpl/*.npz"}, "depends on the sequence"),
        ({"smpl": "../{subject}/*.npz"}, "below the raw folder"),
        ({"smpl": "/{subject}/*.npz"}, "below the raw folder"),
        ({"smpl": "{subject}/"}, "below the raw folder"),
        ({"smpl": "{subject}/{view}.npz"}, "below the raw folder"),
        (
            {"pose_text": "{folder}/*.txt", "pose_json": "{folder}/*.json"},
            "pose_text and pose_json both give pose",
        ),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(files: dict[str, str], message: str) -> None:
    given = {
        "name": "mine",
        "title": "",
        "licence": "",
        "obtain": "",
        "layouts": ["image_tree"],
        "partition": {"train": ["a"], "test": ["b"]},
        "protocols": {},
    }
    assert Dataset.model_validate(given | {"files": GAIT3D}).files == GAIT3D
    with pytest.raises(ValueError, match=message):
        Dataset.model_validate(given | {"files": files})


def test_what_is_offered_includes_what_lies_beside() -> None:
    row = CatalogueRow(SequenceKey("1", "nm", "0"), RowKind.IMAGES, File("1/nm/0"), "", "digest")
    assert modalities_of_raw([row]) == {"silhouettes"}
    poses = Companion("pose_text", File("p/*.txt"), "x")
    colours = Companion("rgb_letterbox", File("c/*.jpg"), "y")
    found = modalities_of_raw([row, replace(row, companions=(poses, colours))])
    assert found == {"silhouettes", "pose", "skeleton_maps", "rgb", "ratio"}
