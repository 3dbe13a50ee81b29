"""Reads videos as a stream of frames, on one thread, and says what is wrong with a broken one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gait import limits
from gait.errors import DataError
from gait.prepare.silhouettes.containers import MP4, container_of, is_cut_short, samples_of

# A damaged file makes the decoders write lines of chatter, which would hide the sentence that
# matters; OpenCV does so about damaged images.
av.logging.set_level(None)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

TRUNCATED = "truncated video"
UNREADABLE = "unreadable video"
DAMAGED_FRAME = "damaged frame"

# Further containers that hold the video itself, by their demuxers' names: no playlists, patterns
# of images, lists of files, scripts or devices.
_CONTAINERS = "mpegts,mpeg,asf,flv,ogg,mxf,m4v,mpegvideo,h264,hevc,mjpeg"
# Sound comes in more pieces than pictures do.
_SAMPLES_PER_FRAME = 4
# Each stream has a decoder while the file is opened; phones write some ten.
_STREAMS = 64
# A frame takes at least that much of an index, or of its own. A file that gives more repeats
# itself, as an edit list can make it do a million times.
_FRAME_BYTES = 4

_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

Image = NDArray[np.uint8]


class VideoError(DataError):
    """A video that cannot be read, or not to its end.

    Attributes:
        reason: in few words, for the counts in a table.
        frames: frames that could be read.
    """

    def __init__(self, message: str, reason: str = UNREADABLE, frames: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.frames = frames


def read_video(path: Path) -> Iterator[Image]:
    """The frames of a video, one after the other, without damaged ones; see `read_frames`.

    Yields:
        uint8 [h, w, 3], blue, green, red.

    Raises:
        VideoError: as `read_frames` raises it.
    """
    return (frame for frame in read_frames(path) if frame is not None)


def read_frames(path: Path) -> Iterator[Image | None]:
    """The frames of a video, one after the other; one frame is held in memory.

    All frames are upright, as the container says that the camera was held, and of the size of the
    first. What decodes counts, whatever the container announces. A video is truncated when it ends
    in an error of the demuxer or the decoder, or before the size that its container states. Its
    frames are yielded before that is known; the error that follows the last of them says how many
    there were.

    The file is read by itself: it can name no other file, and what is not of one of the usual
    containers is refused, whatever its name is.

    Yields:
        uint8 [h, w, 3], blue, green, red; None for a frame that is damaged while frames after it
        are not.

    Raises:
        VideoError: no such file, an empty one, not a video, one that exceeds a limit (see
            `gait.limits`), or a truncated one.
    """
    try:
        size = path.stat().st_size if path.is_file() else None
        file = path.open("rb") if size else None
    except OSError as error:
        raise VideoError(
            f"{path}: expected a video, but it cannot be read ({error.strerror}); make it "
            "readable or remove it"
        ) from None
    if size is None:
        raise VideoError(f"{path}: expected a video, found no file")
    if file is None:
        raise VideoError(
            f"{path}: expected a video, got a file of zero bytes; copy it again or remove it"
        )
    decoded = damaged = 0
    with file:
        container, stream = _opened(file, path, size)
        with container:
            announced = stream.frames
            convert = _Converter()
            for frame in _decoded(container, stream):
                if frame is None:
                    damaged += 1
                    continue
                _check_number(decoded + damaged + 1, size, path)
                yield from repeat(None, damaged)
                decoded, damaged = decoded + damaged + 1, 0
                yield convert(frame)
    if decoded == 0:
        raise VideoError(
            f"{path}: expected a video, got a container of which no frame of at most "
            f"{limits.VIDEO_PX.value:,} pixels can be decoded; copy it again or remove it, or "
            f"raise {limits.VIDEO_PX.variable} in the environment"
        )
    # What is missing behind the last frame, such as an index, costs none.
    if damaged or ((decoded < announced or not announced) and is_cut_short(path)):
        of = f"{decoded} of {announced}" if decoded < announced else f"only {decoded}"
        raise VideoError(
            f"{path}: the video is truncated: {of} frames could be decoded; "
            "copy it again or remove it",
            TRUNCATED,
            decoded,
        )


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Each frame; None for a damaged one, and for whatever the demuxer stops at."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            yield None
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            yield None
            continue
        for frame in frames:
            yield None if packet.is_corrupt or frame.is_corrupt else frame


class _Converter:
    """Turns decoded frames into images of one size, upright."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None

    def __call__(self, frame: VideoFrame) -> Image:
        # The size may change midway.
        self._size = self._size or (frame.width, frame.height)
        width, height = self._size
        converted = self._reformatter.reformat(
            frame, width, height, "bgr24", interpolation=Interpolation.BICUBIC, threads=1
        )
        image = cast("Image", converted.to_ndarray())
        turn = _TURNS.get(-frame.rotation % 360)
        return image if turn is None else cast("Image", cv2.rotate(image, turn))


def _opened(file: BinaryIO, path: Path, size: int) -> tuple[InputContainer, VideoStream]:
    def refuse(url: str, flags: int, options: dict[str, Any]) -> NoReturn:
        raise VideoError(
            f"{path}: expected a video that is one file, got one that names another; "
            "convert it to a plain MP4 or remove it"
        )

    most_px = str(limits.VIDEO_PX.value)
    kind = container_of(file)
    if kind == MP4:
        _check_index(path, size)
    try:
        container = av.open(
            file,
            "r",
            format=kind or None,
            options={
                "format_whitelist": kind or _CONTAINERS,
                "max_streams": str(_STREAMS),
                "max_pixels": most_px,
            },
            metadata_errors="replace",
            io_open=refuse,
        )
    except (av.FFmpegError, OSError, MemoryError):
        raise VideoError(
            f"{path}: expected a video, got a file that no decoder recognises; "
            "copy it again or remove it"
        ) from None
    # A cover is a video stream of one image, and never the best.
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        container.close()
        raise VideoError(
            f"{path}: expected a video, got a container without a picture that can be decoded; "
            "convert it to another format or remove it"
        )
    codec = stream.codec_context
    try:
        limits.VIDEO_PX.check(codec.width * codec.height, path, "a video with frames")
    except DataError as error:
        container.close()
        raise VideoError(str(error)) from None
    codec.options = {"max_pixels": most_px}
    # Shards run side by side; each has one core.
    codec.thread_count = 1
    return container, stream


def _check_index(path: Path, size: int) -> None:
    samples = samples_of(path)
    if samples is None:
        raise VideoError(
            f"{path}: expected a video with a plain index, got a compressed one; convert it to "
            "a plain MP4"
        )
    if samples > size:
        raise _repeating(path, samples, size)
    _check_limit(samples // _SAMPLES_PER_FRAME, path, "an index")


def _check_number(frames: int, size: int, path: Path) -> None:
    if frames > max(size // _FRAME_BYTES, 1):
        raise _repeating(path, frames, size)
    _check_limit(frames, path, "a video")


def _check_limit(frames: int, path: Path, what: str) -> None:
    try:
        limits.VIDEO_FRAMES.check(frames, path, what)
    except DataError as error:
        raise VideoError(str(error)) from None


def _repeating(path: Path, frames: int, size: int) -> VideoError:
    return VideoError(
        f"{path}: expected a recording, got {frames:,} frames in {size:,} bytes, which "
        "repeat themselves; convert it to a plain MP4 or remove it"
    )
