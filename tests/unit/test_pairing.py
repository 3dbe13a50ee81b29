"""Frames of several modalities find each other by key or by time."""

from __future__ import annotations

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.modalities.pairing import pair, pair_by_time, time_ns


def test_a_frame_that_one_lacks_is_dropped_from_all() -> None:
    silhouettes, pose, smpl = ["f1", "f10", "f2", "f3"], ["f3", "f2", "f1", "f7"], ["f2", "f3"]
    paired = pair({"silhouettes": silhouettes, "pose": pose, "smpl": smpl})
    assert paired.positions["silhouettes"].tolist() == [2, 3]
    assert paired.positions["pose"].tolist() == [1, 0]
    assert paired.positions["smpl"].tolist() == [0, 1]
    assert paired.dropped == {"no pose": 1, "no silhouettes": 1, "no smpl": 1}


def test_whatever_is_lacking_rows_have_one_key() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        keys = {
            modality: [str(key) for key in rng.permutation(30)[: rng.integers(31)]]
            for modality in ("silhouettes", "pose", "rgb")
        }
        paired = pair(keys)
        rows = [
            [keys[modality][place] for place in places]
            for modality, places in paired.positions.items()
        ]
        common = set.intersection(*map(set, keys.values()))
        assert rows[0] == rows[1] == rows[2]
        assert rows[0] == [key for key in keys["silhouettes"] if key in common]
        every = set.union(*map(set, keys.values()))
        assert sum(paired.dropped.values()) == len(every) - len(common)


def test_why_a_frame_is_lacking_is_told_where_it_is_known() -> None:
    paired = pair(
        {"silhouettes": ["1", "2", "3"], "pose": ["1", "5"]},
        {"silhouettes": {"4": "too narrow", "5": "unreadable"}, "pose": {"2": "nobody"}},
    )
    assert paired.positions["silhouettes"].tolist() == paired.positions["pose"].tolist() == [0]
    assert paired.dropped == {"no pose": 1, "nobody": 1, "too narrow": 1, "unreadable": 1}


def test_two_frames_of_one_key_are_refused() -> None:
    with pytest.raises(DataError, match="pose: expected each frame once, got several named 2"):
        pair({"silhouettes": ["1", "2"], "pose": ["1", "2", "2"]})


def names(milliseconds: list[float], dot: str) -> list[str]:
    return [f"1650000000{dot}{round(each * 1e6):09d}" for each in milliseconds]


def test_a_cloud_goes_with_the_nearest_image_of_its_middle() -> None:
    clouds = names([0.0, 100.0, 200.0, 300.0], ".")
    images = names([120.0, 30.0, 53.0, 170.000001, 260.0, 271.0], "")
    paired = pair_by_time(("points", clouds), ("rgb", images))
    # 50 -> 53; 150 -> 170.000001 is too far; 250 -> 260; 350 has none.
    assert paired.positions["points"].tolist() == [0, 2]
    assert paired.positions["rgb"].tolist() == [2, 4]
    assert paired.dropped == {"no points within 20 ms": 4, "no rgb within 20 ms": 2}


@pytest.mark.parametrize("twice", ["points", "rgb"])
def test_two_frames_of_one_time_are_refused(twice: str) -> None:
    given = {"points": names([0.0, 100.0], "."), "rgb": names([0.0, 100.0], "")}
    given[twice] += given[twice][:1]
    with pytest.raises(DataError, match=f"{twice}: expected each frame once, got several named"):
        pair_by_time(*given.items())


def test_twenty_milliseconds_are_near_enough() -> None:
    paired = pair_by_time(("points", names([0.0], ".")), ("rgb", names([70.0], "")))
    assert paired.positions["rgb"].tolist() == [0]


def test_one_image_may_serve_two_clouds_and_the_earlier_of_equals_is_taken() -> None:
    paired = pair_by_time(
        ("points", names([0.0, 10.0, 30.0], ".")), ("rgb", names([55.0, 70.0, 90.0], ""))
    )
    assert paired.positions["points"].tolist() == [0, 1, 2]
    assert paired.positions["rgb"].tolist() == [0, 0, 1]
    assert paired.dropped == {"no points within 20 ms": 1}


def test_times_equal_the_slow_statement() -> None:
    rng = np.random.default_rng(6)
    for _ in range(40):
        clouds = names(rng.choice(900, rng.integers(12), replace=False).tolist(), ".")
        images = names(rng.choice(900, rng.integers(12), replace=False).tolist(), "")
        expected = []
        for place, cloud in enumerate(clouds):
            apart = [abs(time_ns(each) - time_ns(cloud) - 50_000_000) for each in images]
            nearest = min(zip(apart, images, strict=True), default=(20_000_001, ""))
            if nearest[0] <= 20_000_000:
                expected.append((place, images.index(nearest[1])))
        paired = pair_by_time(("points", clouds), ("rgb", images))
        found = zip(paired.positions["points"], paired.positions["rgb"], strict=True)
        assert list(found) == expected
        served = len({image for _, image in expected})
        assert paired.dropped.get("no rgb within 20 ms", 0) == len(clouds) - len(expected)
        assert paired.dropped.get("no points within 20 ms", 0) == len(images) - served


@pytest.mark.parametrize(
    ("name", "nanoseconds"),
    [
        ("1650000000.25", 1650000000_250000000),
        ("165000000025", 1650000000_250000000),
        ("1650000000", 1650000000_000000000),
        ("1650000000.1234567894", 1650000000_123456789),
    ],
)
def test_times(name: str, nanoseconds: int) -> None:
    assert time_ns(name) == nanoseconds


@pytest.mark.parametrize("name", ["165.5", "f1650000000", "1650000000.5.jpg", ""])
def test_a_name_that_is_no_time_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="expected a frame named by its time"):
        time_ns(name)
