"""Reading videos: frame by frame, quietly, and with a sentence about a broken one."""

from __future__ import annotations

import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.silhouettes.video import VideoError, read_frames, read_video
from tests.unit.clips import Shot, film
from tests.unit.containers import Pipe, encode, numbers, with_box


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


# The file that was named, and no other.


def test_a_list_of_other_videos_is_no_video(tmp_path: Path) -> None:
    film(tmp_path / "s.avi", Shot(frames=5))
    path = tmp_path / "001-nm-01-090.avi"
    for text in (
        "ffconcat version 1.0\n" + "file s.avi\n" * 100,
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ns.avi\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        ";FFMETADATA1\n",
        "DISPLAY=:0",
    ):
        path.write_text(text)
        with pytest.raises(VideoError, match="no decoder recognises"):
            list(read_video(path))


@pytest.mark.parametrize(
    "name",
    [
        "%03d.avi",
        "a:b.mp4",
        "-i.avi",
        "pipe:0.avi",
        "concat:a.avi|b.avi",
        "subfile,,start,0,end,9,,:a.avi",
        "http:a.avi",
        "Änne ° 歩.avi",
        "a?b*[c].avi",
        "$(touch x).avi",
        "s.m3u8",
    ],
)
def test_a_name_is_a_name_whatever_signs_it_has(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "plain.avi", Shot(frames=5))
    (tmp_path / "plain.avi").rename(name)
    assert len(list(read_video(Path(name)))) == 5
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_an_image_is_no_video(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "000.png"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "000.png").rename(tmp_path / "%03d.avi")
    with pytest.raises(VideoError, match="no decoder recognises"):
        list(read_video(tmp_path / "%03d.avi"))


# What it may give.


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("mp4") / "a.mp4"
    encode(path, "mp4", "mpeg4")
    return path.read_bytes()


_TABLES = "moov/trak/mdia/minf/stbl"


@pytest.mark.parametrize(
    ("box", "content"),
    [
        ("moov/trak/edts/elst", numbers(0, 9000) + numbers(1200, 0, 65536) * 9000),
        (f"{_TABLES}/stsz", numbers(0, 100, 10**8)),
        (f"{_TABLES}/stsz", numbers(0, 1, 2**32 - 1)),
        ("moov/trun", numbers(1, 5 * 10**7)),
        ("moof/traf/trun", numbers(1, 5 * 10**7)),
    ],
)
def test_an_index_that_claims_more_than_the_file_holds_is_refused(
    tmp_path: Path, mp4: bytes, box: str, content: bytes
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(with_box(mp4, box, content))
    with pytest.raises(VideoError, match=r"expected a recording, got .* which repeat themselves"):
        list(read_video(path))


def test_a_compressed_index_is_refused(tmp_path: Path, mp4: bytes) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(with_box(mp4, "moov/cmov", b""))
    with pytest.raises(VideoError, match="got a compressed one"):
        list(read_video(path))


def test_more_frames_than_a_video_may_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.avi"
    film(path, Shot(frames=12))
    monkeypatch.setenv("GAIT_MAX_VIDEO_FRAMES", "11")
    with pytest.raises(VideoError, match=r"a video of 12 frames.*GAIT_MAX_VIDEO_FRAMES=12"):
        list(read_video(path))


def test_larger_frames_than_a_video_may_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.avi"
    film(path, Shot(frames=3))
    monkeypatch.setenv("GAIT_MAX_VIDEO_PX", "19199")
    with pytest.raises(VideoError, match=r"at most 19,199 pixels.*GAIT_MAX_VIDEO_PX"):
        list(read_video(path))


# What is lost, and what is not.


def test_frames_that_an_edit_list_hides_are_no_loss(tmp_path: Path, mp4: bytes) -> None:
    path = tmp_path / "trimmed.mp4"
    # From 5 frames on, in the track's time of 12,800 a second.
    path.write_bytes(with_box(mp4, "moov/trak/edts/elst", numbers(0, 1, 1000, 5 * 512, 65536)))
    assert len(list(read_video(path))) == 25


@pytest.mark.parametrize(("format_", "codec"), [("avi", "mjpeg"), ("matroska", "mpeg4")])
def test_a_pipe_does_not_know_how_many_frames_it_gets(
    tmp_path: Path, format_: str, codec: str
) -> None:
    pipe, path = Pipe(), tmp_path / f"a.{format_}"
    encode(pipe, format_, codec)
    path.write_bytes(pipe.content)
    assert len(list(read_video(path))) == 30


CONTAINERS = [
    ("avi", "mjpeg", {}),
    ("avi", "mpeg4", {}),
    ("mp4", "mpeg4", {"movflags": "faststart"}),
    ("mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov"}),
    ("matroska", "mpeg4", {}),
    ("matroska", "mjpeg", {}),
]


@pytest.mark.parametrize(("format_", "codec", "options"), CONTAINERS, ids=str)
def test_a_copy_cut_short_anywhere_is_truncated_unless_it_has_all_frames(
    tmp_path: Path, format_: str, codec: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"a.{format_}"
    encode(path, format_, codec, **options)
    content = path.read_bytes()
    assert len(list(read_video(path))) == 30
    for share in range(5, 100, 5):
        path.write_bytes(content[: len(content) * share // 100])
        count = 0
        try:
            for _ in read_video(path):
                count += 1
        except VideoError as error:
            assert error.frames == count
            assert error.reason == ("truncated video" if count else "unreadable video")
        else:
            assert count == 30, share


@pytest.mark.parametrize(("format_", "codec"), [("mpegts", "mpeg2video"), ("mpeg", "mpeg1video")])
def test_streams_are_read_as_far_as_they_go(tmp_path: Path, format_: str, codec: str) -> None:
    path = tmp_path / f"a.{format_}"
    encode(path, format_, codec)
    assert len(list(read_video(path))) == 30


def test_a_damaged_frame_among_others_keeps_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    encode(path, "matroska", "mjpeg")
    content = bytearray(path.read_bytes())
    images = [each.start() for each in re.finditer(b"\xff\xd8\xff", content)]
    # Up to the next one's header.
    content[images[10] : images[11] - 40] = bytes(images[11] - 40 - images[10])
    path.write_bytes(content)
    frames = list(read_frames(path))
    assert [number for number, frame in enumerate(frames) if frame is None] == [10]
    assert len(frames) == 30
    assert len(list(read_video(path))) == 29


def test_frames_that_change_size_midway_are_brought_to_the_first_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    content = b""
    for size in (64, 128, 32):
        pipe = Pipe()
        with av.open(pipe, "w", "mjpeg") as container:
            stream = container.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = size, size // 2, "yuvj420p"
            image = np.full((size // 2, size, 3), 99, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
            container.mux(stream.encode())
        content += pipe.content
    path.write_bytes(content)
    frames = list(read_video(path))
    assert [frame.shape for frame in frames] == [(32, 64, 3)] * 3


@pytest.mark.parametrize(
    ("turns", "matrix"),
    [(0, (1, 0, 0, 1)), (1, (0, 1, -1, 0)), (2, (-1, 0, 0, -1)), (3, (0, -1, 1, 0))],
)
def test_frames_are_upright_as_the_camera_was_held(
    tmp_path: Path, mp4: bytes, turns: int, matrix: tuple[int, int, int, int]
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(mp4)
    plain = next(read_video(path))
    place = mp4.index(b"tkhd") + 4 + 40
    a, b, c, d = (65536 * each for each in matrix)
    path.write_bytes(mp4[:place] + numbers(a, b, 0, c, d, 0, 0, 0, 2**30) + mp4[place + 36 :])
    np.testing.assert_array_equal(next(read_video(path)), np.rot90(plain, -turns))
