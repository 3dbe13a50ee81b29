"""Poses in files of text and JSON, and who of several people is the walker."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.prepare.pose_files import json_key, poses_of_json, poses_of_texts, text_key, walker


def slow_walker(people: NDArray[np.float64], silhouette: NDArray[np.uint8]) -> int:
    best, chosen = -np.inf, 0
    for number, joints in enumerate(people):
        score = 0.0
        for x, y, _ in joints:
            column, row = int(x), int(y)
            if 0 <= column < silhouette.shape[1] and 0 <= row < silhouette.shape[0]:
                score += float(silhouette[row, column])
            else:
                score = -np.inf
        if score > best:
            best, chosen = score, number
    return chosen


def test_the_walker_equals_the_slow_statement() -> None:
    rng = np.random.default_rng(3)
    chosen = []
    for _ in range(300):
        silhouette = rng.choice(np.array([0, 0, 100, 255], np.uint8), (20, 30))
        people = rng.uniform([-0.9, -0.9, 0.0], [30.2, 20.2, 1.0], (3, 4, 3))
        chosen.append(walker(people, silhouette))
        assert chosen[-1] == slow_walker(people, silhouette)
    assert set(chosen) == {0, 1, 2}


def test_who_is_outside_comes_last_and_the_first_of_equals_first() -> None:
    silhouette = np.zeros((10, 10), np.uint8)
    inside, outside = np.full((2, 3), 5.0), np.full((2, 3), 5.0)
    outside[1, 0] = 10.0
    assert walker(np.stack([outside, inside, inside]), silhouette) == 1
    silhouette[5, 5] = 255
    assert walker(np.stack([outside, outside]), silhouette) == 0
    # Less than a pixel beyond the left border is cut towards zero, into the image.
    inside[:, 0] = -0.5
    assert walker(np.stack([outside, inside]), silhouette) == 1


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("0021.json", "0021"),
        ("frame_0021.json", "0021"),
        ("0021_keypoints.json", "0021"),
        ("x1_00217_keypoints.json", "0021"),
        ("nobody.json", "nobody"),
    ],
)
def test_the_key_of_a_json_file(name: str, key: str) -> None:
    assert json_key(name) == key


def test_the_key_of_a_text_file() -> None:
    assert text_key("00012_2d_pose.txt") == "00012"
    assert text_key("human_crop_f11627.txt") == "human_crop_f11627"


def test_text_files_that_are_cut_short_are_counted() -> None:
    good = ",".join(str(number) for number in range(53)).encode()
    files = [
        ("00001.txt", good),
        ("00002.txt", good[:-3]),
        ("00003.txt", b""),
        ("00004.txt", good.replace(b"17", b"nan")),
        ("00005.txt", b"\xff" + good),
        ("00006.txt", good + b"\n"),
    ]
    poses = poses_of_texts(files)
    assert poses.keys == ["00001", "00006"]
    np.testing.assert_array_equal(poses.pose[0].ravel(), np.arange(2.0, 53.0))
    assert poses.problems == dict.fromkeys(["00002", "00003", "00004", "00005"], "unreadable pose")


def test_json_files_of_any_kind_are_counted() -> None:
    def of(*people: object) -> bytes:
        return json.dumps({"people": people}).encode()

    joints = list(range(54))
    files = [
        ("0001.json", of({"pose_keypoints_2d": joints})),
        ("0002.json", of()),
        ("0003.json", of({"pose_keypoints_2d": joints}, {"pose_keypoints_2d": joints[:-3]})),
        ("0004.json", b"[" * 100_000),
        ("0005.json", b"[]"),
        ("0006.json", of({"pose_keypoints_2d": [float("nan")] * 54})),
        ("0007.json", of({"pose_keypoints_2d": joints[:51]})),
        ("0008.json", of({"pose_keypoints_2d": joints}, {"pose_keypoints_2d": joints})),
    ]
    poses = poses_of_json(files, {})
    assert poses.keys == ["0001", "0008"]
    assert poses.guessed == {"0008": "walker of several people"}
    assert poses.pose.shape == (2, 18, 3)
    assert poses.problems.pop("0002") == "nobody in the frame"
    assert poses.problems == {f"000{number}": "unreadable pose" for number in range(3, 8)}


def test_no_files_give_no_frames() -> None:
    assert poses_of_texts([]).keys == []
    assert poses_of_json([], {}).problems == {}
