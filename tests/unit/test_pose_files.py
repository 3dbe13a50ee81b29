"""Poses in files of text and JSON, and who of several people is the walker."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.prepare.modalities.joints import BODY_25_TO_OPENPOSE, OPENPOSE_TO_COCO, to_coco
from gait.prepare.modalities.pose_files import (
    frame_names,
    poses_of_json,
    poses_of_texts,
    stem_of,
    text_key,
    walker,
)


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
    ("files", "names", "keys"),
    [
        # Without any other modality, the number.
        (["0021.json", "0022.json"], [], ["0021", "0022"]),
        (["frame_0021.json"], [], ["0021"]),
        (["0021_keypoints.json"], [], ["0021"]),
        (["x1_00217_b.json"], [], ["0021"]),
        (["clip2024_000000000012_keypoints.json"], [], ["000000000012"]),
        (["nobody.json"], [], ["nobody"]),
        # Where that is the same for two of them, the names.
        (["a_0021.json", "b_0021.json"], [], ["a_0021", "b_0021"]),
        (["0001_a.json", "0001_b.json"], [], ["0001_a", "0001_b"]),
        # As the images are called: alike, by their number, or by what that stands for.
        (["frame_0021.json", "frame_0022.json"], ["frame_0021"], ["frame_0021", "frame_0022"]),
        (["frame_0021_keypoints.json"], ["frame_0021"], ["frame_0021"]),
        (["frame_0021_keypoints.json"], ["0021"], ["0021"]),
        (["clip_000000000012_keypoints.json"], ["0011", "0012"], ["0012"]),
        (["clip_000000000012_keypoints.json"], ["f_12", "f_13"], ["f_12"]),
        (["12.json", "13.json"], ["a_12", "b_12"], ["12", "13"]),
        (["9" * 200 + ".json"], ["1"], ["9" * 200]),
    ],
)
def test_what_the_frame_of_a_json_file_is_called(
    files: list[str], names: list[str], keys: list[str]
) -> None:
    stems = [stem_of(name) for name in files]
    assert [frame_names(stems, names)[stem] for stem in stems] == keys


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


def of(*people: object) -> bytes:
    return json.dumps({"people": people}).encode()


def test_json_files_of_any_kind_are_counted() -> None:
    joints: list[object] = list(range(54))
    files = [
        ("0001.json", of({"pose_keypoints_2d": joints})),
        ("0002.json", of()),
        ("0003.json", of({"pose_keypoints_2d": joints}, {"pose_keypoints_2d": joints[:-3]})),
        ("0004.json", b"[" * 100_000),
        ("0005.json", b"[]"),
        ("0006.json", of({"pose_keypoints_2d": [float("nan")] * 54})),
        ("0007.json", of({"pose_keypoints_2d": joints[:51]})),
        ("0008.json", of({"pose_keypoints_2d": joints}, {"pose_keypoints_2d": joints})),
        ("0009.json", of({"pose_keypoints_2d": [10**400, *joints[1:]]})),
        ("0010.json", of({"pose_keypoints_2d": [1e300, *joints[1:]]})),
        ("0011.json", of({"pose_keypoints_2d": ["1", *joints[1:]]})),
        ("0012.json", of({"pose_keypoints_2d": joints}).replace(b"3,", b"9" * 5000 + b",")),
        ("0013.json", of({"pose_keypoints_2d": joints}, {"pose_keypoints_2d": [1e999] * 54})),
        ("0014.json", b'{"people": {"pose_keypoints_2d": 1}}'),
        ("0015.json", b'{"people": "me"}'),
        ("0016.json", b"\xff\xfe{"),
        ("0017.json", b"7"),
        ("0018.json", of([], None, "pose_keypoints_2d")),
        ("0019.json", b'{"people":' + b'{"a":' * 50_000),
        ("0020.json", of({"pose_keypoints_2d": []})),
    ]
    poses = poses_of_json(files, {})
    assert poses.keys == ["0001", "0008"]
    assert poses.guessed == {"0008": "walker of several people"}
    assert poses.pose.shape == (2, 18, 3)
    assert poses.problems.pop("0002") == "nobody in the frame"
    others = {name[:4] for name, _ in files} - {"0001", "0002", "0008"}
    assert poses.problems == dict.fromkeys(others, "unreadable pose")


def test_a_mark_of_the_byte_order_is_read_over() -> None:
    mark = "\ufeff".encode()
    data = mark + of({"pose_keypoints_2d": list(range(54))})
    assert poses_of_json([("0001.json", data)], {}).keys == ["0001"]
    text = mark + ",".join(str(number) for number in range(53)).encode()
    assert poses_of_texts([("0001.txt", text)]).keys == ["0001"]


def test_files_that_are_too_large_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIT_MAX_JSON_BYTES", "100")
    data = of({"pose_keypoints_2d": list(range(54))})
    assert poses_of_json([("0001.json", data)], {}).problems == {"0001": "unreadable pose"}
    assert poses_of_texts([("1.txt", b"," * 10**7)]).problems == {"1": "unreadable pose"}


def test_body_25_becomes_the_18_joints_of_openpose() -> None:
    joints = np.arange(75.0).reshape(25, 3)
    data = of({"pose_keypoints_2d": joints.ravel().tolist()})
    pose = poses_of_json([("0001.json", data)], {}).pose
    # The neck stays at 1; after the left wrist at 7 comes the right hip, which BODY_25 has at 9.
    assert pose.shape == (1, 18, 3)
    assert pose[0, :, 0].tolist() == [3.0 * joint for joint in BODY_25_TO_OPENPOSE]
    assert (pose[0, 1, 0], pose[0, 8, 0], pose[0, 17, 0]) == (3.0, 27.0, 54.0)
    assert len(set(OPENPOSE_TO_COCO)) == to_coco(pose).shape[1] == 17
    # Other arrays of 25 joints may be of anything, such as a Kinect.
    with pytest.raises(
        DataError, match=r"got 25, perhaps OpenPose's BODY_25: keep its joints \[0"
    ):
        to_coco(joints[None])


def test_a_list_of_alphapose_holds_all_frames() -> None:
    def person(image: object, x: float, joints: int = 17) -> dict[str, object]:
        return {"image_id": image, "keypoints": [x, 2.0, 0.5] * joints, "score": 3.0}

    listed = [
        person("f_9.jpg", 1.0),
        person("f_10.jpg", 5.0),
        person("f_10.jpg", 2.0),
        person("f_11.jpg", 7.0),
        person("f_12.jpg", 1.0, 16),
        person("f_13.jpg", float("nan")),
    ]
    silhouette = np.zeros((4, 9), np.uint8)
    silhouette[2, 2] = 255
    data = json.dumps(listed).encode()
    poses = poses_of_json([("alphapose-results.json", data)], {"f_10": silhouette})
    assert poses.keys == ["f_9", "f_10", "f_11"]
    assert poses.pose[:, 0, 0].tolist() == [1.0, 2.0, 7.0] and not poses.guessed
    assert poses.problems == dict.fromkeys(["f_12", "f_13"], "unreadable pose")
    # Whose first joints are COCO's: of Halpe, and of COCO's results with numbers for names.
    for joints in (26, 133, 136):
        data = json.dumps([person(7, 1.0, joints)]).encode()
        poses = poses_of_json([("a.json", data)], {})
        assert (poses.keys, poses.pose.shape) == (["7"], (1, 17, 3))


@pytest.mark.parametrize("image", [None, 1.5, "9" * 10**6 + "x", [], 10**3000])
def test_a_list_with_frames_of_no_name_is_unreadable(image: object) -> None:
    data = json.dumps([{"image_id": image, "keypoints": [1.0] * 51}]).encode()
    poses = poses_of_json([("a.json", data), ("b.json", b"[1]"), ("c.json", b"[[]]")], {})
    assert poses.problems == dict.fromkeys("abc", "unreadable pose") and not poses.keys


def test_several_people_are_told_apart_by_silhouettes_of_other_names() -> None:
    silhouette = np.zeros((9, 9), np.uint8)
    silhouette[2, 2] = 255
    people = [{"pose_keypoints_2d": [x, x, 1.0] * 18} for x in (5.0, 2.0)]
    for stem, name in (("f_0003", "f_0003"), ("f_0003", "0003"), ("x_000000000003", "003")):
        poses = poses_of_json([(f"{stem}_keypoints.json", of(*people))], {name: silhouette})
        assert poses.pose[0, 0, 0] == 2.0 and not poses.guessed


def test_no_files_give_no_frames() -> None:
    assert poses_of_texts([]).keys == []
    assert poses_of_json([], {}).problems == {}
