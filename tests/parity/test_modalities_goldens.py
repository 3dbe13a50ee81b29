"""Parsing maps, colour crops and the alignments of single datasets, against the vectors."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.prepare.modalities.crops import letterboxed, trimmed
from gait.prepare.modalities.pose_files import poses_of_json, poses_of_texts
from gait.prepare.silhouettes.align import CCPG, DEPTH, PARSING, align

GOLDENS = Path(__file__).parent / "goldens" / "pretreat"


def read(name: str) -> dict[str, NDArray[np.uint8]]:
    with np.load(GOLDENS / f"{name}.npz") as stored:
        return {each: stored[each] for each in stored.files}


def test_parsing_maps_are_byte_identical() -> None:
    maps = read("inputs_parsing")
    aligned = align(list(maps.values()), 64, PARSING)
    np.testing.assert_array_equal(aligned.frames, read("out_parsing_64")["001|nm-01|090|090.pkl"])
    assert [name for row, name in enumerate(maps) if row not in aligned.kept] == [
        "001|nm-01|090|006_tiny"
    ]
    assert aligned.dropped == {"too few pixels": 1}


def test_silhouettes_of_ccpg_are_byte_identical() -> None:
    silhouettes, wanted = read("inputs_sil"), read("out_ccpg_cut_64")
    names = list(silhouettes)
    aligned = align(list(silhouettes.values()), 64, CCPG)
    found = dict(zip([names[row] for row in aligned.kept], aligned.frames, strict=True))
    # Masks of 0 and 1 give next to nothing there, and are dropped here.
    assert set(wanted) - set(found) == {"001|edge-01|000|14_mask_0_1"}
    for name, frame in found.items():
        np.testing.assert_array_equal(frame, wanted[name], err_msg=name)
    assert aligned.dropped == {
        "too few pixels": 2,
        "too narrow": 1,
        "values 0/1 instead of 0/255": 1,
    }


def test_depth_images_equal_but_for_the_border() -> None:
    """The published ones of a figure near the border begin with its centre, and may be narrow."""
    silhouettes, wanted = read("inputs_sil"), read("out_sustech_align_64")
    at_border = 0
    for name, frame in wanted.items():
        aligned = align([cv2.merge([silhouettes[name]] * 3)], 64, DEPTH)
        if not frame.any():
            assert aligned.dropped == {"too few pixels": 1}
        elif name.endswith("14_mask_0_1"):
            assert aligned.dropped == {"values 0/1 instead of 0/255": 1}
        elif np.array_equal(aligned.frames[0], frame):
            continue
        else:
            at_border += 1
            width = min(32, frame.shape[1])
            right = aligned.frames[0, :, 32:]
            np.testing.assert_array_equal(right[:, :width], frame[:, :width], err_msg=name)
            assert not right[:, width:].any()
    assert at_border == 10
    one_row = cv2.merge([silhouettes["001|edge-01|000|12_row_one_pixel"]] * 3)
    assert align([one_row], 64, DEPTH).dropped == {"one row high": 1}


def test_colour_images_fitted_to_256_by_128_are_byte_identical() -> None:
    images, wanted = read("inputs_rgb"), read("out_rgb_padresize_256x128")
    crops = letterboxed(list(images.values()), 256, 128)
    for name, frame in zip(images, crops.frames, strict=True):
        np.testing.assert_array_equal(frame, wanted[name], err_msg=name)
    np.testing.assert_array_equal(
        crops.ratio, [image.shape[1] / image.shape[0] for image in images.values()]
    )


def test_colour_images_of_ccgr_mini_are_byte_identical() -> None:
    images, wanted = read("inputs_rgb"), read("out_ccgr_rgb_128")
    crops = trimmed(list(images.values()), 128)
    for name, frame, ratio in zip(images, crops.frames, crops.ratio, strict=True):
        blue_green_red = frame.transpose(1, 2, 0)[..., ::-1]
        np.testing.assert_array_equal(blue_green_red, wanted[name], err_msg=name)
        height, width = wanted[f"{name}|hw"]
        assert ratio == width / height, name


def test_poses_of_text_files_are_equal() -> None:
    given, wanted = read("inputs_pose"), read("out_pose_txt")
    for sequence, joints in given.items():
        files = [
            (f"{number:05d}_2d_pose.txt", ",".join(["320", "240", *map(repr, flat)]).encode())
            for number, flat in enumerate(joints.reshape(len(joints), -1).tolist())
        ]
        poses = poses_of_texts(files)
        view = sequence.rpartition("|")[2]
        np.testing.assert_array_equal(poses.pose, wanted[f"{sequence}|{view}.pkl"])
        assert poses.pose.dtype == wanted[f"{sequence}|{view}.pkl"].dtype
        assert poses.keys == [f"{number:05d}" for number in range(len(joints))]
        assert poses.problems == {}


def test_poses_of_oumvlp_are_equal() -> None:
    """The silhouette lies under the person that the vectors were made with."""
    stored = read("out_pose_oumvlp")
    base = stored["base18"].astype(np.float64)
    files, silhouettes = [], {}
    for number, (name, people, chosen) in enumerate(
        [
            ("0001.json", 2, 1),
            ("0002.json", 1, 0),
            ("0003.json", 0, 0),
            ("0004.json", None, 0),
            ("0005.json", 2, 0),
            ("0006_keypoints.json", 2, 1),
        ]
    ):
        joints = np.stack([base[number], base[number] + [1000.0, 0.0, 0.0]])
        if people is None:
            files.append((name, b'{"people": [{"pose_keypoints_2d": ['))
            continue
        listed = [{"pose_keypoints_2d": each.ravel().tolist()} for each in joints[:people]]
        files.append((name, json.dumps({"people": listed}).encode()))
        silhouette = np.zeros((240, 1400), np.uint8)
        silhouette[:, 1000 * chosen : 1000 * chosen + 400] = 255
        silhouettes[name[:4]] = silhouette
    poses = poses_of_json(files, silhouettes)
    np.testing.assert_array_equal(poses.pose, stored["00002|00|000|000.pkl"])
    assert poses.keys == ["0001", "0002", "0005", "0006"]
    assert poses.problems == {"0003": "nobody in the frame", "0004": "unreadable pose"}
