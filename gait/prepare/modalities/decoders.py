"""Decodes companion files to modality streams: one decoder per kind of file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePath
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.pkl import frames_of
from gait.limits import FILE_BYTES
from gait.modalities import ARRAYS, MODALITIES, POINTS, POSE, RGB, SILHOUETTES, WALKER_SILHOUETTES
from gait.prepare.modalities import crops, depth, pose_files, smpl
from gait.prepare.modalities.point_cloud import read_point_cloud
from gait.prepare.modalities.streams import ALGORITHM as JOINING
from gait.prepare.modalities.streams import ModalityStream
from gait.prepare.raw.frames import Frame, frames_of_contents, silhouette_of
from gait.prepare.raw.images import Bounds, ImageError, decode
from gait.prepare.raw.sources import Files
from gait.prepare.silhouettes import align, resize, values
from gait.prepare.silhouettes.video import VideoError, read_video
from gait.ragged import Frames, Ragged
from gait.screen import LONGEST_MESSAGE, shown

# Changes when the same files would give other frames than before.
ALGORITHM = f"{crops.ALGORITHM} {depth.ALGORITHM} {pose_files.ALGORITHM} {JOINING}"


NO_POINT = "no point in the cloud"

# Sizes in pixels that models of colour crops read, whatever silhouettes are aligned to.
_SQUARE_PX = 128
_UPRIGHT_PX = (256, 128)

# Images are cropped and aligned in blocks, so that a long sequence of large ones fits in memory.
_BLOCK_BYTES = 64 * 2**20

_Item = TypeVar("_Item")

# A decoded silhouette as it lies in its image, uint8 [h, w], by the key of its frame.
Silhouettes = Mapping[str, NDArray[np.uint8]]


# Files, the size of aligned silhouettes in pixels, and the silhouettes, to tracks by modality.
Reader = Callable[[Files, int, Silhouettes], dict[str, ModalityStream]]


def read_tracks(
    companions: Mapping[str, Files], size_px: int, silhouettes: Silhouettes
) -> dict[str, ModalityStream]:
    """Decode the companion files of a sequence to a stream per modality.

    Args:
        companions: the files of each kind, see `gait.prepare.catalogue.companions`.
        size_px: height and width that silhouettes are aligned to.
        silhouettes: needed for `pose_json`, to choose the walker of several people; where files of
            `walker_silhouettes` are there, these are used instead.

    Raises:
        DataError: a file cannot be read, or there are several where one is wanted.
    """
    tracks: dict[str, ModalityStream] = {}
    names: Collection[str] = silhouettes.keys()
    if WALKER_SILHOUETTES in companions:
        silhouettes = _Unread(companions[WALKER_SILHOUETTES])
    for kind, files in companions.items():
        if kind != WALKER_SILHOUETTES:
            tracks |= KINDS[kind](files, size_px, silhouettes)
    if "pose_json" in companions:
        others = (each for name, each in tracks.items() if name != POSE)
        by_name = (each.keys for each in others if each.length is None and not each.by_time)
        tracks[POSE] = _called(tracks[POSE], names or next(by_name, ()))
    return tracks


def _called(track: ModalityStream, names: Collection[str]) -> ModalityStream:
    """A track of JSON files with its frames called as those of other modalities."""
    made = pose_files.frame_names(dict.fromkeys([*track.keys, *track.problems]), names)
    return replace(
        track,
        keys=[made[key] for key in track.keys],
        problems={made[key]: problem for key, problem in track.problems.items()},
        guessed={made[key]: what for key, what in track.guessed.items()},
    )


class _Unread(Silhouettes):
    """Images by the key of their frame, read when one is asked for, decoded when it is that one.

    Few frames show several people, and silhouettes are asked for in these only. A broken one is
    not there.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    @cached_property
    def _read(self) -> dict[str, tuple[str, bytes]]:
        return {PurePath(name).stem: (name, data) for name, data in self._files}

    def __getitem__(self, key: str) -> NDArray[np.uint8]:
        name, data = self._read[key]
        try:
            return silhouette_of(data, name, Bounds.now())[0]
        except DataError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def _parsing(files: Files, size_px: int, _: Silhouettes) -> dict[str, ModalityStream]:
    images = _decoded(files, cv2.IMREAD_GRAYSCALE)
    pieces = [
        _track(keys, aligned.frames, aligned.kept, aligned.problems, problems)
        for keys, maps, problems in _blocks(images)
        for aligned in (align.align(maps, size_px, align.PARSING),)
    ]
    return {"parsing": _joined(pieces)}


def _masks_stretch(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
    # Of the frames' silhouettes it has been told already what was made of their values.
    silhouettes = values.judged(frames_of_contents(files))
    pieces = [
        ModalityStream(keys, resize.resize(images, _SQUARE_PX).frames, problems)
        for keys, images, problems in _blocks(silhouettes)
    ]
    return {"masks": _joined(pieces)}


def _pose_text(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
    poses = pose_files.poses_of_texts(files)
    return {POSE: ModalityStream(poses.keys, poses.pose, poses.problems)}


def _pose_json(files: Files, _: int, silhouettes: Silhouettes) -> dict[str, ModalityStream]:
    poses = pose_files.poses_of_json(files, silhouettes)
    return {POSE: ModalityStream(poses.keys, poses.pose, poses.problems, guessed=poses.guessed)}


def _smpl(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
    keys, bodies, problems = _readable(files, smpl.read_smpl, "no readable body model")
    numbers = sum(smpl.PARTS.values())
    frames = np.stack(bodies) if bodies else np.zeros((0, numbers), np.float32)
    return {"smpl": ModalityStream(keys, frames, problems)}


def _depth(files: Files, size_px: int, _: Silhouettes) -> dict[str, ModalityStream]:
    keys, clouds, problems = _readable(files, read_point_cloud, "no readable point cloud")
    drawn = depth.depth_images(clouds, size_px)
    return {"depth": _track(keys, drawn.frames, drawn.kept, drawn.problems, problems)}


def _points(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
    keys, clouds, problems = _readable(files, read_point_cloud, "no readable point cloud")
    problems |= {key: NO_POINT for key, each in zip(keys, clouds, strict=True) if not len(each)}
    kept = [key for key, each in zip(keys, clouds, strict=True) if len(each)]
    frames = Ragged.of([np.zeros((0, 3), np.float32), *clouds])
    return {POINTS: ModalityStream(kept, frames[np.flatnonzero(frames.counts)], problems)}


def _by_time(read: Reader) -> Reader:
    def read_by_time(
        files: Files, size_px: int, silhouettes: Silhouettes
    ) -> dict[str, ModalityStream]:
        tracks = read(files, size_px, silhouettes)
        return {modality: replace(track, by_time=True) for modality, track in tracks.items()}

    return read_by_time


def _colours(
    crop: Callable[[Sequence[NDArray[np.uint8]]], crops.Crops],
) -> Reader:
    def read(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
        colours: list[ModalityStream] = []
        ratios: list[ModalityStream] = []
        for keys, images, problems in _blocks(_decoded(files, cv2.IMREAD_COLOR)):
            made = crop(images)
            colours.append(_track(keys, made.frames, made.kept, made.problems, problems))
            ratios.append(_track(keys, made.ratio, made.kept, made.problems, problems))
        return {RGB: _joined(colours), "ratio": _joined(ratios)}

    return read


def _video_trim(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
    # As published, further videos of a sequence are not used.
    first = islice(files, 1)
    videos, problems = _readable(first, _crops_of_video, "unusable video")[1:]
    made = videos[0] if videos else crops.trimmed([], _SQUARE_PX)
    keys = _places(len(made.kept) + len(made.problems))
    return {
        modality: replace(
            _track(keys, frames, made.kept, made.problems, problems),
            length=_length(keys, problems),
        )
        for modality, frames in ((RGB, made.frames), ("ratio", made.ratio))
    }


def _crops_of_video(data: bytes, name: str) -> crops.Crops:
    """What is seen in the frames of a video, for decoders that read files only."""
    with NamedTemporaryFile(suffix=PurePath(name).suffix) as file:
        file.write(data)
        file.flush()
        try:
            return crops.trimmed(_few_enough(read_video(Path(file.name)), name), _SQUARE_PX)
        except VideoError as error:
            raise DataError(str(error).replace(file.name, name)) from None


def _few_enough(frames: Iterator[NDArray[np.uint8]], name: str) -> Iterator[NDArray[np.uint8]]:
    """Frames whose crops fit into a file that can be read again."""
    for number, frame in enumerate(frames, 1):
        FILE_BYTES.check(number * 3 * _SQUARE_PX**2, name, "crops of a video")
        yield frame


def _array(modality: str) -> Reader:
    def read(files: Files, _: int, __: Silhouettes) -> dict[str, ModalityStream]:
        names, arrays, problems = _readable(
            files,
            lambda data, name: frames_of(data, Path(name), modality),
            f"no usable pkl of {modality.replace('_', ' ')}",
        )
        if len(names) + len(problems) > 1:
            raise DataError(
                f"expected one pkl of {modality}, got {', '.join(sorted([*names, *problems]))}; "
                "name one of them in 'files' in the dataset.yaml"
            )
        frames: Frames = arrays[0] if arrays else np.zeros(0)
        length = _length(frames, problems)
        track = ModalityStream(_places(len(frames)), frames, problems, length=length)
        return {modality: _usual(track) if modality == SILHOUETTES and arrays else track}

    return read


def _usual(track: ModalityStream) -> ModalityStream:
    """Silhouettes of 0 and 255, whatever values the array has; those that are unclear are not."""
    assert isinstance(track.frames, np.ndarray)
    meaning = values.meaning_of_all(track.frames)
    if meaning is None or meaning.is_usual or not meaning.is_clear:
        return track
    frames, foreign = values.converted(track.frames, meaning)
    problems = {str(place): values.OTHER_VALUES for place in foreign}
    keys = [key for key in track.keys if key not in problems]
    guessed = dict.fromkeys(keys, meaning.note)
    return replace(
        track, keys=keys, frames=frames, problems=track.problems | problems, guessed=guessed
    )


def _length(frames: Sized, problems: Mapping[str, str]) -> int | None:
    """How many frames a whole file has; None where there is no file."""
    return len(frames) if len(frames) or problems else None


def _places(frames: int) -> list[str]:
    """The keys of frames that are known by their place only."""
    return [str(place) for place in range(frames)]


# How each kind in `gait.modalities.COMPANIONS` is read of which something is made.
KINDS: dict[str, Reader] = {
    "video_trim": _video_trim,
    **{f"{ARRAYS}{modality}": _array(modality) for modality in MODALITIES},
    "parsing": _parsing,
    "pose_text": _pose_text,
    "pose_json": _pose_json,
    "smpl": _smpl,
    "depth": _depth,
    "depth_by_time": _by_time(_depth),
    "points": _points,
    "points_by_time": _by_time(_points),
    "masks_stretch": _masks_stretch,
    "rgb_stretch": _colours(lambda images: crops.stretched(images, _SQUARE_PX)),
    "rgb_trim": _colours(lambda images: crops.trimmed(images, _SQUARE_PX)),
    "rgb_letterbox": _colours(lambda images: crops.letterboxed(images, *_UPRIGHT_PX)),
}


def _decoded(files: Files, flags: int) -> Iterator[Frame]:
    """The images in some files, decoded one by one; the first that is none is told on stderr."""
    is_told = False
    for name, data in files:
        try:
            yield Frame(name, decode(data, name, flags), "")
        except ImageError as error:
            if not is_told:
                print(error, file=sys.stderr)
            is_told = True
            yield Frame(name, None, error.reason)


def _blocks(
    frames: Iterator[Frame],
) -> Iterator[tuple[list[str], list[NDArray[np.uint8]], dict[str, str]]]:
    """Keys, images and what is wrong with the others, of no more images than memory is to hold."""
    keys: list[str] = []
    images: list[NDArray[np.uint8]] = []
    problems: dict[str, str] = {}
    size = 0
    for frame in frames:
        key = PurePath(frame.name).stem
        if frame.image is None:
            problems[key] = frame.problem
            continue
        keys.append(key)
        images.append(frame.image)
        size += frame.image.nbytes
        if size > _BLOCK_BYTES:
            yield keys, images, problems
            keys, images, problems, size = [], [], {}, 0
    yield keys, images, problems


def _joined(pieces: list[ModalityStream]) -> ModalityStream:
    """Consecutive pieces of a track as one."""
    if len(pieces) == 1:
        return pieces[0]
    keys = [key for piece in pieces for key in piece.keys]
    problems = {key: reason for piece in pieces for key, reason in piece.problems.items()}
    return ModalityStream(keys, np.concatenate([piece.frames for piece in pieces]), problems)


def _readable(
    files: Files, read: Callable[[bytes, str], _Item], reason: str
) -> tuple[list[str], list[_Item], dict[str, str]]:
    """The keys of files that can be read, what is in them, and the reason for the others.

    What is wrong with the first of the others is reported on stderr.
    """
    keys: list[str] = []
    found: list[_Item] = []
    problems: dict[str, str] = {}
    for name, data in files:
        key = PurePath(name).stem
        try:
            found.append(read(data, name))
        except DataError as error:
            if not problems:
                print(shown(error, LONGEST_MESSAGE), file=sys.stderr)
            problems[key] = reason
        else:
            keys.append(key)
    return keys, found, problems


def _track(
    keys: Sequence[str],
    frames: NDArray[Any],
    kept: NDArray[np.int64],
    problems: Mapping[int, str],
    unreadable: Mapping[str, str],
) -> ModalityStream:
    """A track of the frames that were kept of those with these keys."""
    told = {keys[position]: problem for position, problem in problems.items()}
    return ModalityStream([keys[position] for position in kept], frames, told | dict(unreadable))
