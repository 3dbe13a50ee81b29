"""Poses as datasets give them: a file of text or JSON for each frame of a sequence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

# Raised when the same files would give other poses than before.
ALGORITHM = "pose-files-1"

UNREADABLE = "unreadable pose"
NOBODY = "nobody in the frame"
GUESSED = "walker of several people"

# The size of the image comes before the joints of COCO, each as x, y and confidence.
_TEXT_LEADS = 2
_TEXT_JOINTS = 17
_SUFFIX_OF_TEXT = "_2d_pose"

Joints = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Poses:
    """The joints in the usable frames of a sequence.

    Attributes:
        keys: what each frame is called in all modalities, [m].
        pose: float64 [m, v, 3]: x and y in pixels, confidence.
        problems: the reason for each of the other frames, by its key.
        guessed: what had to be guessed in a usable frame, by its key.
    """

    keys: list[str]
    pose: NDArray[np.float64]
    problems: dict[str, str]
    guessed: dict[str, str] = field(default_factory=dict)


def poses_of_texts(files: Iterable[tuple[str, bytes]]) -> Poses:
    """The joints in text files of 53 numbers with commas between them, as of Gait3D and GREW.

    A frame is called as its file, without suffix and without the `_2d_pose` of GREW.

    Args:
        files: name and content of each, in the order of frames.
    """

    def read(name: str, data: bytes) -> Joints:
        numbers = np.array(data.decode("ascii").split(","), np.float64)[_TEXT_LEADS:]
        return numbers.reshape(_TEXT_JOINTS, 3)

    return _poses(files, text_key, read)


def poses_of_json(
    files: Iterable[tuple[str, bytes]], silhouettes: Mapping[str, NDArray[np.uint8]]
) -> Poses:
    """The walker's joints in JSON files as OpenPose writes them, as of OU-MVLP.

    Of several people in a frame the walker is who lies most on the silhouette: whose joints, each
    in the pixel it lies in, have the largest sum of gray values. Somebody with a joint outside the
    image comes after all others, and the first of equals is taken; so is the first person of a
    frame without a silhouette, which is a guess. This is the published choice, which published
    poses depend on.

    Args:
        files: name and content of each, in the order of frames.
        silhouettes: uint8 [h, w] by the key of the frame, see `json_key`; asked for only where
            there are several people.
    """
    guessed: dict[str, str] = {}

    def read(name: str, data: bytes) -> Joints | str:
        listed = json.loads(data)["people"]
        if not listed:
            return NOBODY
        people = np.array([each["pose_keypoints_2d"] for each in listed], np.float64)
        people = people.reshape(len(people), -1, 3)
        if len(people) == 1:
            return np.asarray(people[0])
        silhouette = silhouettes.get(json_key(name))
        if silhouette is None:
            guessed[json_key(name)] = GUESSED
            return np.asarray(people[0])
        return np.asarray(people[walker(people, silhouette)])

    return replace(_poses(files, json_key, read), guessed=guessed)


def text_key(name: str) -> str:
    """What the frame of a text file is called."""
    return PurePath(name).stem.removesuffix(_SUFFIX_OF_TEXT)


def json_key(name: str) -> str:
    """What the frame of a JSON file is called: the digits that end its name.

    Where it ends otherwise, as with OU-MVLP's first subject, the first four digits in a row; the
    name itself without any.
    """
    stem = PurePath(name).stem
    digits = re.search(r"\d+$", stem) or re.search(r"\d{4}", stem)
    return digits[0] if digits else stem


def walker(people: Joints, silhouette: NDArray[np.uint8]) -> int:
    """Which of the people, [k, v, 3], lies most on the silhouette [h, w]; see `poses_of_json`."""
    # Towards zero, so a joint less than a pixel outside the left or upper border is inside.
    x, y = np.trunc(people[..., :2]).astype(np.int64).transpose(2, 0, 1)
    height, width = silhouette.shape
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    gray = np.where(
        is_inside, silhouette[y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.int64), 0
    )
    score = np.where(is_inside.all(axis=1), gray.sum(axis=1), -1)
    return int(score.argmax())


def _poses(
    files: Iterable[tuple[str, bytes]],
    key: Callable[[str], str],
    read: Callable[[str, bytes], Joints | str],
) -> Poses:
    """What `read` makes of each file: joints or a reason; what it fails on is unreadable."""
    keys: list[str] = []
    found: list[Joints] = []
    problems: dict[str, str] = {}
    for name, data in files:
        try:
            joints = read(name, data)
        except (ValueError, KeyError, TypeError, RecursionError):
            joints = UNREADABLE
        if isinstance(joints, str):
            problems[key(name)] = joints
        elif not joints.size or not np.isfinite(joints).all():
            problems[key(name)] = UNREADABLE
        else:
            keys.append(key(name))
            found.append(joints)
    # As many joints in each frame; files with others are cut short, or of another program.
    most = Counter(map(len, found)).most_common(1)
    usable = [row for row, each in enumerate(found) if len(each) == most[0][0]]
    problems |= dict.fromkeys(set(keys) - {keys[row] for row in usable}, UNREADABLE)
    return Poses(
        [keys[row] for row in usable],
        np.stack([found[row] for row in usable]) if usable else np.zeros((0, 0, 3)),
        problems,
    )
