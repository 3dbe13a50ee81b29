"""Reading videos: frame by frame, quietly, and with a sentence about a broken one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.video import VideoError, read_video
from tests.unit.clips import Shot, film


def test_every_frame_is_given_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(12):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    # Kept all at once: a frame that was given is not overwritten by the next.
    frames = list(read_video(path))
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 12
    assert [round(frame.mean() / 20) for frame in frames] == list(range(12))
    assert all(frame.dtype == np.uint8 for frame in frames)


def test_frames_are_decoded_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    film(path, Shot(frames=40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = read_video(path)
    # The error comes at the end: had the clip been read ahead, it would come at once.
    next(frames)
    next(frames)


def test_a_truncated_video_says_how_many_frames_there_were(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    film(path, Shot(frames=40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = read_video(path)
    count = 0
    with pytest.raises(VideoError, match=r"a\.avi: the video is truncated: \d+ of 40") as error:
        for _ in frames:
            count += 1
    assert 10 < count < 30
    assert f"{count} of 40 frames" in str(error.value)
    assert (error.value.reason, error.value.frames) == ("truncated video", count)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "zero bytes"),
        (b"subject,condition\n" * 50, "no decoder recognises"),
        (bytes(range(256)) * 40, "no decoder recognises"),
    ],
)
def test_what_is_no_video_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, sentence: str
) -> None:
    path = tmp_path / "001-nm-01-090.avi"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"001-nm-01-090\.avi: expected a video, got .*{sentence}"
    ):
        next(read_video(path))
    assert capfd.readouterr() == ("", "")


def test_a_missing_video_is_said(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="found no file") as error:
        next(read_video(tmp_path / "a.avi"))
    assert error.value.reason == "unreadable video"


def test_the_decoders_are_silent_about_damage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.avi"
    film(path, Shot(frames=40))
    content = bytearray(path.read_bytes())
    content[9000:9400] = b"\x00" * 400
    path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(VideoError):
        list(read_video(path))
    assert capfd.readouterr().err == ""
