"""Poses as datasets give them: a file of text or JSON per frame of a sequence, or one for all."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.limits import JSON_BYTES
from gait.prepare.modalities.joints import BODY_25, BODY_25_TO_OPENPOSE, COCO

# Raised when the same files would give other poses than before.
ALGORITHM = "pose-files-2"

UNREADABLE = "unreadable pose"
NOBODY = "nobody in the frame"
GUESSED = "walker of several people"

# The size of the image comes before the joints of COCO, each as x, y and confidence.
_TEXT_LEADS = 2
_TEXT_JOINTS = 17
_SUFFIX_OF_TEXT = "_2d_pose"
_SUFFIX_OF_OPENPOSE = "_keypoints"
# Models of AlphaPose whose first joints are COCO's: Halpe's, and COCO with hands and face.
_BEGIN_WITH_COCO = (26, 133, 136)
# Further away than any pixel, and near enough for every type of number.
_FARTHEST_PX = 1e6
_LONGEST_NAME = 255

# What bytes that are no such file can cause, among them whole numbers of hundreds of digits.
_BROKEN = (DataError, ValueError, KeyError, TypeError, OverflowError, RecursionError)

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
    found = _Found()
    for name, data in files:
        try:
            found.add(text_key(name), _joints_of_text(data))
        except _BROKEN:
            found.problems[text_key(name)] = UNREADABLE
    return found.poses()


def poses_of_json(
    files: Iterable[tuple[str, bytes]], silhouettes: Mapping[str, NDArray[np.uint8]]
) -> Poses:
    """The walker's joints in JSON files as OpenPose writes them, as of OU-MVLP.

    A file with a list holds several frames, as AlphaPose and COCO's results have them. A frame is
    called as its file or image, without suffix and without OpenPose's `_keypoints`; `frame_names`
    says what the same frame is called elsewhere. Of BODY_25 there remain OpenPose's 18 joints, and
    of AlphaPose's larger models COCO's 17.

    Of several people in a frame the walker is who lies most on the silhouette: whose joints, each
    in the pixel it lies in, have the largest sum of gray values. Somebody with a joint outside the
    image comes after all others, and the first of equals is taken; so is the first person of a
    frame without a silhouette, which is a guess. This is the published choice, which published
    poses depend on.

    Args:
        files: name and content of each, in the order of frames.
        silhouettes: uint8 [h, w] by the key of the frame; asked for only where there are several
            people.
    """
    found = _Found()
    named = _Named(silhouettes)
    for name, data in files:
        try:
            JSON_BYTES.check(len(data), name, "JSON")
            frames = _frames_of_json(stem_of(name), data)
        except _BROKEN:
            frames = {stem_of(name): None}
        for key, listed in frames.items():
            try:
                people = [_joints_of_person(each) for each in _list(listed)]
                if people:
                    chosen, what = _chosen(people, named, key)
                    found.add(key, people[chosen], what)
                else:
                    found.problems[key] = NOBODY
            except _BROKEN:
                found.problems[key] = UNREADABLE
    return found.poses()


def text_key(name: str) -> str:
    """What the frame of a text file is called."""
    return PurePath(name).stem.removesuffix(_SUFFIX_OF_TEXT)


def stem_of(name: str) -> str:
    """What a file of OpenPose or an image is called, whatever program wrote it."""
    return PurePath(name).stem.removesuffix(_SUFFIX_OF_OPENPOSE)


def number_of(stem: str) -> str:
    """The digits that end what a frame is called.

    Where it ends otherwise, the first four digits in a row; all of it without any.
    """
    digits = re.search(r"[0-9]+$", stem) or re.search(r"[0-9]{4}", stem)
    return digits[0] if digits else stem


def frame_names(stems: Collection[str], names: Collection[str]) -> dict[str, str]:
    """What the frames of JSON files are called in the other modalities of a sequence.

    That is the same if any of them is called so; or the digits that end it; or the name that ends
    in the same number, as `000000000012` and `0012` do. Where no name is known, it is the digits
    if each frame has others.

    Args:
        stems: what the files are called, see `stem_of`.
        names: what the frames of the other modalities are called; may be none.
    """
    digits = {stem: number_of(stem) for stem in stems}
    numbered = _by_number(names)
    numbers = {stem: numbered.get(_number(digits[stem]), stem) for stem in stems}
    for made in ({stem: stem for stem in stems}, digits, numbers):
        called = set(made.values())
        if len(called) == len(made) and not called.isdisjoint(names):
            return made
    return digits if len(set(digits.values())) == len(digits) else {stem: stem for stem in stems}


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


def _joints_of_text(data: bytes) -> Joints:
    numbers = _TEXT_LEADS + 3 * _TEXT_JOINTS
    # Before anything is made of it, however long it is.
    if data.count(b",") != numbers - 1:
        raise ValueError("another number of joints")
    fields = data.decode("utf-8-sig").split(",")
    return np.array(fields, np.float64)[_TEXT_LEADS:].reshape(_TEXT_JOINTS, 3)


def _frames_of_json(stem: str, data: bytes) -> dict[str, object]:
    """By what each frame in a file is called, the people in it."""
    content = json.loads(data)
    if not isinstance(content, list):
        return {stem: content["people"]}
    if not content:
        raise ValueError("a list of nothing")
    frames: dict[str, object] = {}
    for each in content:
        image = each["image_id"]
        if not isinstance(image, str | int) or len(str(image)) > _LONGEST_NAME:
            raise TypeError("a frame without a name")
        key = stem_of(image) if isinstance(image, str) else str(image)
        _list(frames.setdefault(key, [])).append(each)
    return frames


def _chosen(people: list[Joints], named: _Named, key: str) -> tuple[int, str]:
    """Which of the people in a frame is the walker, and what was guessed, if anything."""
    if len(people) == 1:
        return 0, ""
    stacked = np.stack(people)
    _check_places(stacked)
    silhouette = named.get(key)
    return (0, GUESSED) if silhouette is None else (walker(stacked, silhouette), "")


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError("people that are no list")
    return content


def _joints_of_person(person: Mapping[str, Any]) -> Joints:
    """The joints [v, 3] of one person, of OpenPose's 18 or COCO's 17 where it is known how."""
    is_openpose = "pose_keypoints_2d" in person
    numbers = person["pose_keypoints_2d" if is_openpose else "keypoints"]
    if not all(isinstance(each, int | float) for each in _list(numbers)):
        raise TypeError("joints that are no numbers")
    joints = np.array(numbers, np.float64).reshape(-1, 3)
    if is_openpose and len(joints) == BODY_25:
        return joints[list(BODY_25_TO_OPENPOSE)]
    if not is_openpose and len(joints) in _BEGIN_WITH_COCO:
        return joints[:COCO]
    return joints


def _check_places(joints: Joints) -> None:
    """ValueError for numbers that are none, or no place in an image."""
    if not joints.size or not (np.abs(joints) <= _FARTHEST_PX).all():
        raise ValueError("a joint outside of every image")


class _Named:
    """Silhouettes by what the frames of JSON files are called."""

    def __init__(self, silhouettes: Mapping[str, NDArray[np.uint8]]) -> None:
        self._silhouettes = silhouettes

    def get(self, stem: str) -> NDArray[np.uint8] | None:
        """The silhouette of a frame, if there is one."""
        for key in (stem, number_of(stem), self._numbered.get(_number(number_of(stem)))):
            if key is not None and (found := self._silhouettes.get(key)) is not None:
                return found
        return None

    @cached_property
    def _numbered(self) -> dict[int | None, str]:
        return _by_number(self._silhouettes)


def _by_number(names: Collection[str]) -> dict[int | None, str]:
    """Names by the number that each ends in; nothing where two end in one, or one in none."""
    numbered = {_number(number_of(name)): name for name in names}
    return numbered if len(numbered) == len(names) and None not in numbered else {}


def _number(digits: str) -> int | None:
    # No frame has a number as long as Python refuses to read.
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 100 else None


@dataclass(slots=True)
class _Found:
    """What is found in files, frame by frame."""

    keys: list[str] = field(default_factory=list)
    joints: list[Joints] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, joints: Joints, guessed: str = "") -> None:
        """A frame with joints [v, 3], and what was guessed; ValueError where these are none."""
        _check_places(joints)
        if guessed:
            self.guessed[key] = guessed
        self.keys.append(key)
        self.joints.append(joints)

    def poses(self) -> Poses:
        """All of them of as many joints; others are cut short, or of another program."""
        most = Counter(map(len, self.joints)).most_common(1)
        usable = [row for row, each in enumerate(self.joints) if len(each) == most[0][0]]
        keys = [self.keys[row] for row in usable]
        others = dict.fromkeys(set(self.keys) - set(keys), UNREADABLE)
        pose = np.stack([self.joints[row] for row in usable]) if usable else np.zeros((0, 0, 3))
        return Poses(keys, pose, self.problems | others, self.guessed)
