"""Tracks joined by the keys of their frames."""

from __future__ import annotations

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.modalities.streams import ModalityStream, align_streams


def test_joined_rows_are_one_moment() -> None:
    numbers = {"silhouettes": [1, 2, 3, 5, 6], "pose": [6, 5, 3, 2], "smpl": [2, 3, 4, 6]}
    tracks = {
        modality: ModalityStream([f"f{number}" for number in each], np.array(each, np.float32), {})
        for modality, each in numbers.items()
    }
    tracks["silhouettes"].problems["f4"] = "too narrow"
    tracks["smpl"].problems["f5"] = "unreadable"
    joined = align_streams(tracks)
    for frames in joined.frames.values():
        assert frames.tolist() == [2, 3, 6]
    assert joined.dropped == {"no pose": 1, "too narrow": 1, "unreadable": 1}


def test_tracks_by_time_lead_and_take_the_nearest_of_the_others() -> None:
    camera = [f"1650000000{milliseconds:03d}" for milliseconds in range(0, 400, 33)]
    clouds = ["1650000000.0", "1650000000.1", "1650000000.11", "1650000000.2", "1650000000.9"]
    values = np.arange(len(camera), dtype=np.float32)
    joined = align_streams(
        {
            "silhouettes": ModalityStream(camera[:4] + camera[5:], np.delete(values, 4), {}),
            "ratio": ModalityStream(camera[::-1], values[::-1], {}),
            "depth": ModalityStream(
                clouds, np.arange(5.0), {"1650000000.3": "unreadable"}, by_time=True
            ),
        }
    )
    # 50 ms: 66, not 33; 150: 132 is lacking, 165; 160: 165 again; 250: 264 before 231.
    assert joined.frames["depth"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert joined.frames["ratio"].tolist() == [2.0, 5.0, 5.0, 8.0]
    assert joined.frames["silhouettes"].tolist() == [2.0, 5.0, 5.0, 8.0]
    assert joined.dropped == {
        "no depth within 20 ms": 9,
        "no silhouettes": 1,
        "no silhouettes within 20 ms": 1,
        "unreadable": 1,
    }


def test_only_tracks_by_time() -> None:
    assert align_streams({"depth": ModalityStream(["1"], np.ones(1), {}, by_time=True)}).frames[
        "depth"
    ].tolist() == [1]


def test_two_frames_of_one_key_are_refused() -> None:
    track = ModalityStream(["1", "1"], np.zeros(2), {})
    with pytest.raises(DataError, match="ratio: expected each frame once"):
        align_streams({"ratio": track})
