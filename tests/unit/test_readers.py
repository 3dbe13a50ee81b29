"""Files of every kind to tracks, and these joined."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.errors import DataError
from gait.modalities import COMPANIONS, MODALITIES
from gait.prepare.modalities import decoders
from gait.prepare.modalities.decoders import KINDS
from gait.prepare.modalities.streams import ModalityStream, align_streams
from gait.ragged import Ragged


def png(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def text(start: int) -> bytes:
    return ",".join(map(str, range(start, start + 53))).encode()


def people(start: int) -> bytes:
    return f'{{"people": [{{"pose_keypoints_2d": {list(range(start, start + 54))}}}]}}'.encode()


def body(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    person = {part: rng.random(size) for part, size in (("cam", 3), ("poses", 72), ("betas", 10))}
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, results={0: person})  # type: ignore[arg-type]
    return content.getvalue()


def points(seed: int) -> NDArray[np.float32]:
    """Fewer with every seed."""
    rng = np.random.default_rng(seed)
    size = (200 - seed, 3)
    return rng.normal([-8.0, 0.0, 0.0], [0.1, 0.2, 0.5], size).astype(np.float32)


def pcd(content: NDArray[np.float32]) -> bytes:
    header = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
    return f"{header}POINTS {len(content)}\nDATA binary\n".encode() + content.tobytes()


def cloud(seed: int) -> bytes:
    return pcd(points(seed))


def figure(seed: int) -> NDArray[np.uint8]:
    image = np.zeros((90, 70), np.uint8)
    cv2.ellipse(image, (20 + seed, 45), (10, 35), 0, 0, 360, 3 + seed, -1)
    return image


def colours(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(20, 256, (50, 30, 3), np.uint8)
    return png(image)


MAKERS = {
    "parsing": lambda seed: png(figure(seed)),
    "pose_text": text,
    "pose_json": people,
    "smpl": body,
    "depth": cloud,
    "depth_by_time": cloud,
    "points": cloud,
    "points_by_time": cloud,
    "masks_stretch": lambda seed: png(cv2.threshold(figure(seed), 0, 255, 0)[1]),
    "rgb_stretch": colours,
    "rgb_trim": colours,
    "rgb_letterbox": colours,
}


def array(modality: str, frames: int) -> NDArray[Any]:
    """An array that may hold a modality, with a size of 4 wherever it is free."""
    each = MODALITIES[modality]
    shape = [4 if isinstance(size, str) else size for size in each.frame_shape]
    return np.random.default_rng(frames).integers(1, 9, (frames, *shape)).astype(each.dtypes[0])


# Files of a whole sequence.
ARRAYS = [kind for kind in KINDS if kind.startswith("pkl_")]


def test_every_kind_is_tested() -> None:
    # Silhouettes of the walker serve poses, and are no track.
    assert KINDS.keys() == COMPANIONS.keys() - {"walker_silhouettes"}
    assert MAKERS.keys() | set(ARRAYS) == KINDS.keys() - {"video_trim"}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_a_track_as_it_is(kind: str) -> None:
    (modality,) = COMPANIONS[kind]
    frames = array(modality, 4)
    track = KINDS[kind]([("a/x.pkl", pickle.dumps(frames))], 64, {})[modality]
    given = track.frames
    found = np.stack(given.split()) if isinstance(given, Ragged) else given
    np.testing.assert_array_equal(found, frames)
    assert (track.keys, track.length, track.problems) == (["0", "1", "2", "3"], 4, {})


def test_an_array_of_something_else_is_no_track(capsys: pytest.CaptureFixture[str]) -> None:
    data = pickle.dumps(array("silhouettes", 4))
    track = KINDS["pkl_pose"]([("a/x.pkl", data)], 64, {})["pose"]
    assert (track.keys, track.length) == ([], 0)
    assert track.problems == {"x": "no usable pkl of pose"}
    assert "a/x.pkl: expected pose" in capsys.readouterr().err


def test_of_several_arrays_nobody_knows_which_is_meant() -> None:
    data = pickle.dumps(array("ratio", 4))
    with pytest.raises(DataError, match=r"expected one pkl of ratio, got 1, 2; name one of them"):
        KINDS["pkl_ratio"]([("a/1.pkl", data), ("a/2.pkl", b"")], 64, {})


def test_arrays_are_joined_by_place() -> None:
    names = ("silhouettes", "parsing")
    tracks = {
        each: KINDS[f"pkl_{each}"]([("a", pickle.dumps(array(each, 5)))], 64, {})[each]
        for each in names
    }
    joined = align_streams(tracks)
    assert (joined.number, joined.dropped) == (5, {})
    tracks["parsing"] = KINDS["pkl_parsing"]([("a", pickle.dumps(array("parsing", 4)))], 64, {})[
        "parsing"
    ]
    joined = align_streams(tracks)
    assert (joined.frames, joined.number) == ({}, 0)
    assert joined.dropped == {"files of different lengths": 5}


def test_clouds_of_differing_size_are_joined_by_place() -> None:
    clouds = [points(seed) for seed in range(5)]
    tracks = {
        "parsing": ModalityStream(
            ["0", "2", "4"], array("parsing", 3), {"1": "bad", "3": "bad"}, length=5
        ),
        **KINDS["pkl_points"]([("a", pickle.dumps(clouds))], 64, {}),
    }
    joined = align_streams(tracks)
    found = joined.frames["points"]
    assert isinstance(found, Ragged) and joined.dropped == {"bad": 2}
    for one, other in zip(found.split(), clouds[::2], strict=True):
        np.testing.assert_array_equal(one, other)
    tracks |= KINDS["pkl_points"]([("a", pickle.dumps([*clouds, points(9)]))], 64, {})
    assert align_streams(tracks).dropped == {"files of different lengths": 6}


def test_a_video_is_cut_to_its_walker_and_joined_by_place(tmp_path: Path) -> None:
    frames = np.zeros((6, 96, 64, 3), np.uint8)
    frames[:, 10:60, 20:40] = (30, 120, 200)
    frames[2] = 0
    video = tmp_path / "over.avi"
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, size)
    for frame in frames:
        writer.write(frame)
    writer.release()
    files = [("over.avi", video.read_bytes()), ("second.avi", b"never looked at")]
    tracks = KINDS["video_trim"](files, 64, {})
    assert tracks["rgb"].frames.shape == (5, 3, 128, 128)
    np.testing.assert_allclose(tracks["ratio"].frames, 20 / 50, atol=0.03)
    tracks["pose"] = KINDS["pkl_pose"]([("x", pickle.dumps(np.ones((6, 17, 3))))], 64, {})["pose"]
    joined = align_streams(tracks)
    assert (joined.number, joined.dropped) == (5, {"nothing but black": 1})


def test_a_broken_video_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tracks = KINDS["video_trim"]([("a/over.avi", b"no video")], 64, {})
    assert tracks["rgb"].problems == {"over": "unusable video"}
    assert capsys.readouterr().err.startswith("a/over.avi: expected a video, got a file that no")


@pytest.mark.parametrize("kind", MAKERS)
def test_each_kind_gives_what_its_modality_is(kind: str) -> None:
    files = [(f"{number:04d}.x", MAKERS[kind](number)) for number in range(4)]
    tracks = KINDS[kind](files, 64, {})
    assert tuple(tracks) == COMPANIONS[kind]
    for modality, track in tracks.items():
        assert track.keys == ["0000", "0001", "0002", "0003"]
        given = track.frames
        shape = (1, *given.rows.shape) if isinstance(given, Ragged) else given.shape
        assert MODALITIES[modality].fits(given.dtype.name, shape)
        assert len(given) == 4
        assert track.problems == {}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_file_that_cannot_be_read_is_known_by_its_key(kind: str) -> None:
    files = [
        ("0000.x", MAKERS[kind](0)),
        ("0001.x", b""),
        ("0002.x", b"no such file"),
        ("0003.x", MAKERS[kind](3)),
    ]
    for track in KINDS[kind](files, 64, {}).values():
        assert track.keys == ["0000", "0003"]
        assert len(track.frames) == 2
        assert set(track.problems) == {"0001", "0002"}


def test_the_first_file_that_cannot_be_read_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [("a/0000.npz", body(0)), ("a/0001.npz", b"no zip"), ("a/0002.npz", b"")]
    assert set(KINDS["smpl"](files, 64, {})["smpl"].problems) == {"0001", "0002"}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("a/0001.npz: expected an .npz file whose 'results' hold cam")


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_gives_an_empty_track(kind: str) -> None:
    for track in KINDS[kind]([], 64, {}).values():
        assert track.keys == [] and len(track.frames) == 0


def test_reasons_of_frames_that_were_read_but_are_of_no_use() -> None:
    black, tiny = np.zeros((30, 20, 3), np.uint8), np.zeros((90, 70), np.uint8)
    files = [("1.png", png(black)), ("2.png", colours(0)), ("3.png", b"")]
    track = KINDS["rgb_trim"](files, 64, {})["ratio"]
    assert track.problems == {"1": "nothing but black", "3": "unreadable"}
    parsing = KINDS["parsing"]([("1.png", png(figure(0))), ("2.png", png(tiny))], 64, {})
    assert parsing["parsing"].problems == {"2": "too few pixels"}


def test_a_frame_without_points_is_dropped_from_all() -> None:
    nowhere = np.full((5, 3), np.nan, np.float32)
    files = [
        ("1.pcd", cloud(1)),
        ("2.pcd", pcd(nowhere[:0])),
        ("3.pcd", b""),
        ("4.pcd", pcd(nowhere)),
        ("5.pcd", cloud(5)),
        ("6.pcd", cloud(6)),
    ]
    track = KINDS["points"](files, 64, {})["points"]
    assert track.problems == {
        "2": "no point in the cloud",
        "3": "no readable point cloud",
        "4": "no point in the cloud",
    }
    ratio = ModalityStream([*"654321"], np.arange(6.0), {})
    joined = align_streams({"ratio": ratio, "points": track})
    assert joined.frames["ratio"].tolist() == [0.0, 1.0, 5.0]
    found = joined.frames["points"]
    assert isinstance(found, Ragged)
    for one, seed in zip(found.split(), (6, 5, 1), strict=True):
        np.testing.assert_array_equal(one, points(seed))
    assert joined.dropped == {"no point in the cloud": 2, "no readable point cloud": 1}


def test_depth_and_points_by_time_are_of_one_cloud() -> None:
    files = [(f"1650000000.{tenth}.pcd", cloud(tenth)) for tenth in range(4)]
    files[1] = (files[1][0], pcd(points(1)[:0]))
    tracks = {**KINDS["depth_by_time"](files, 64, {}), **KINDS["points_by_time"](files, 64, {})}
    # One frame of the camera for the second and the third cloud, and none for the last.
    camera = ModalityStream(["165000000005", "165000000025"], np.arange(2.0), {})
    joined = align_streams({"ratio": camera, **tracks})
    assert joined.frames["ratio"].tolist() == [0.0, 1.0]
    assert len(joined.frames["depth"]) == joined.number == 2
    found = joined.frames["points"]
    assert isinstance(found, Ragged)
    for one, seed in zip(found.split(), (0, 2), strict=True):
        np.testing.assert_array_equal(one, points(seed))
    assert sum(joined.dropped.values()) == 2


def test_silhouettes_in_an_array_get_the_usual_values() -> None:
    usual = np.zeros((6, 64, 44), np.uint8)
    usual[:, 4:60, 15:30] = 255
    ones = usual // 255
    ones[5, 0, 0] = 7
    track = KINDS["pkl_silhouettes"]([("a/x.pkl", pickle.dumps(ones))], 64, {})["silhouettes"]
    np.testing.assert_array_equal(track.frames, usual[:5])
    assert track.length == 6 and track.keys == ["0", "1", "2", "3", "4"]
    assert track.problems == {"5": "other values than in the frames before"}
    assert set(track.guessed.values()) == {"values 0 and 1 taken as 0 and 255"}


@pytest.mark.parametrize("kind", ["parsing", "masks_stretch", "rgb_stretch"])
def test_blocks_of_images_are_what_all_of_them_at_once_are(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [(f"{number:04d}.x", MAKERS[kind](number)) for number in range(7)]
    files[3] = ("0003.x", b"none")
    whole = KINDS[kind](files, 64, {})
    monkeypatch.setattr(decoders, "_BLOCK_BYTES", 10_000)
    for modality, track in KINDS[kind](files, 64, {}).items():
        assert (track.keys, track.problems) == (whole[modality].keys, whole[modality].problems)
        np.testing.assert_array_equal(track.frames, whole[modality].frames)
