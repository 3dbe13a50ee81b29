"""Silhouettes of any values: those that are certain become 0 and 255, and the rest is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.formats.catalogue import CatalogueRow, RowKind, rows_text
from gait.formats.manifest import read_manifest
from gait.formats.pkl import read_pkl
from gait.formats.source import File
from gait.prepare.raw.frames import Frame, frames_of_contents
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.align import Aligned, align
from gait.prepare.silhouettes.values import (
    OTHER_VALUES,
    Meaning,
    converted,
    judged,
    meaning_of_all,
)
from gait.types import SequenceKey
from tests.unit.pngs import png

Image = NDArray[np.uint8]
Encode = Callable[[Image], bytes]

FRAMES = 12
BLACK, RED, BLUE, YELLOW = (0, 0, 0), (128, 0, 0), (0, 0, 120), (255, 255, 0)


def walker(number: int) -> Image:
    """A walker that strides from left to right, 0 and 255."""
    image = np.zeros((120, 160), np.uint8)
    x = 40 + 5 * number
    cv2.ellipse(image, (x, 60), (9, 28), 0, 0, 360, 255, -1)
    cv2.circle(image, (x, 27), 7, 255, -1)
    for side in (-1, 1):
        cv2.line(image, (x, 80), (x + side * round(10 * np.sin(number)), 106), 255, 5)
    return image


WALK = [walker(number) for number in range(FRAMES)]
PHOTO = np.asarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3)), np.uint8)


def scaled(value: int, ground: int = 0) -> Encode:
    return lambda image: png(np.where(image > 0, value, ground).astype(np.uint8))


def stacked(image: Image, colours: Image | int = 0, alpha: int = 255) -> bytes:
    """Of one or many colours, with the silhouette as alpha channel of that value."""
    colour = np.broadcast_to(np.asarray(colours, np.uint8), (*image.shape, 3))
    return png(np.dstack([colour, image // 255 * np.uint8(alpha)]))


def jpg(image: Image, quality: int = 75) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def in_thirds(image: Image, *labels: int) -> Image:
    """The walker from top to bottom as several labels."""
    rows = np.repeat(labels, -(-80 // len(labels)))[:80].astype(np.uint8)
    made = image // 255
    made[25:105] *= rows[:, None]
    return made


CERTAIN: dict[str, tuple[Encode, str]] = {
    "0 and 1": (scaled(1), "values 0 and 1 taken as 0 and 255"),
    "index 9": (scaled(9), "values 0 and 9 taken as 0 and 255"),
    "half white": (scaled(128), "values 0 and 128 taken as 0 and 255"),
    "gray on gray": (scaled(200, 30), "values 30 and 200 taken as 0 and 255"),
    "nearly black ground": (scaled(255, 1), "values 1 and 255 taken as 0 and 255"),
    "inverted": (lambda image: png(255 - image), "black on white turned into white on black"),
    "1 on the ground": (lambda image: png(1 - image // 255), "values 1 and 0 taken as 0 and 255"),
    "blue": (
        lambda image: png(np.dstack([image * 0, image * 0, image])),
        "values 0 and 29 taken as 0 and 255",
    ),
    "palette of an index": (
        lambda image: png(image // 255, [BLACK, RED]),
        "values 0 and 38 taken as 0 and 255",
    ),
    "palette of two colours": (
        lambda image: png(image // 255, [BLUE, YELLOW]),
        "values 13 and 225 taken as 0 and 255",
    ),
    "the same, swapped": (
        lambda image: png(image // 255, [YELLOW, BLUE]),
        "values 225 and 13 taken as 0 and 255",
    ),
    "white with alpha": (
        lambda image: stacked(image, 255),
        "alpha channel taken as the silhouette",
    ),
    "black with alpha": (stacked, "alpha channel taken as the silhouette"),
    "photograph with alpha": (
        lambda image: stacked(image, PHOTO),
        "alpha channel taken as the silhouette",
    ),
    "alpha of 1": (
        lambda image: stacked(image, 0, 1),
        "alpha channel taken as the silhouette",
    ),
    "gray with alpha": (
        lambda image: png(np.dstack([image * 0 + 90, image])),
        "alpha channel taken as the silhouette",
    ),
    "transparent palette": (
        lambda image: png(image // 255, [BLACK, BLACK], b"\x00"),
        "alpha channel taken as the silhouette",
    ),
    "16 bits, 1": (
        lambda image: png((image // 255).astype(np.uint16)),
        "16 bits of which the lower 8 are used",
    ),
    "16 bits, 256": (
        lambda image: png(image.astype(np.uint16) // 255 * 256),
        "values 0 and 1 taken as 0 and 255",
    ),
}

AS_USUAL: dict[str, Encode] = {
    "black and white": png,
    "opaque": lambda image: png(np.dstack([image] * 3 + [image * 0 + 255])),
    "16 bits": lambda image: png(image.astype(np.uint16) * 257),
    "colour of white": lambda image: png(np.dstack([image] * 3)),
}

UNCLEAR: dict[str, Encode] = {
    "labels 1 2 9": lambda image: png(in_thirds(image, 1, 2, 9)),
    "labels 1 2": lambda image: png(in_thirds(image, 1, 2)),
    "bright labels": lambda image: png(in_thirds(image, 76, 150, 255)),
    "palette of parts": lambda image: png(in_thirds(image, 1, 2), [BLACK, RED, YELLOW]),
    "white outline": lambda image: png(
        np.maximum(image // 17, cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3))))
    ),
}


def encoded(encode: Encode) -> list[tuple[str, bytes]]:
    return [(f"{number:03d}.png", encode(image)) for number, image in enumerate(WALK)]


def prepared(encode: Encode) -> tuple[list[Frame], Aligned]:
    frames = list(judged(frames_of_contents(encoded(encode))))
    return frames, align([frame.image for frame in frames if frame.image is not None], 64)


@pytest.mark.parametrize("kind", CERTAIN)
def test_what_is_certain_becomes_the_silhouette_that_it_was(kind: str) -> None:
    encode, note = CERTAIN[kind]
    frames, aligned = prepared(encode)
    np.testing.assert_array_equal(aligned.frames, align(WALK, 64).frames)
    assert {frame.note for frame in frames} == {note}


@pytest.mark.parametrize("kind", AS_USUAL)
def test_what_is_as_usual_is_left_alone(kind: str) -> None:
    frames, aligned = prepared(AS_USUAL[kind])
    np.testing.assert_array_equal(aligned.frames, align(WALK, 64).frames)
    assert {frame.note for frame in frames} == {""}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_several_labels_are_dropped_and_counted(kind: str) -> None:
    frames, _ = prepared(UNCLEAR[kind])
    assert [frame.problem for frame in frames] == ["unclear which value is the walker"] * FRAMES


@pytest.mark.parametrize("sigma", [0.6, 1.5])
@pytest.mark.parametrize("size", [(160, 120), (96, 72), (640, 480)])
def test_gray_edges_are_legitimate(size: tuple[int, int], sigma: float) -> None:
    walk = [cv2.GaussianBlur(cv2.resize(image, size), (0, 0), sigma) for image in WALK]
    soft = [Frame("x", np.asarray(image, np.uint8), "") for image in walk]
    assert all(a is b for a, b in zip(soft, judged(iter(soft)), strict=True))
    dim = [Frame("x", np.asarray(image // 2, np.uint8), "") for image in walk]
    for given, found in zip(walk, judged(iter(dim)), strict=True):
        assert found.image is not None and found.note.endswith("taken as 0 and 255")
        assert np.abs(found.image.astype(int) - given).max() <= 16
    swapped = [Frame("x", np.asarray(255 - image, np.uint8), "") for image in walk]
    for given, found in zip(walk, judged(iter(swapped)), strict=True):
        np.testing.assert_array_equal(found.image, given)


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_jpeg_stays_as_published_programs_read_it(quality: int) -> None:
    frames, _ = prepared(lambda image: jpg(image, quality))
    for image, frame in zip(WALK, frames, strict=True):
        data = np.frombuffer(jpg(image, quality), np.uint8)
        np.testing.assert_array_equal(frame.image, cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
        assert frame.note == ""


def test_labels_that_differ_from_frame_to_frame_are_not_one_walker() -> None:
    frames = [
        Frame("x", image // 255 * np.uint8(1 + number % 3), "")
        for number, image in enumerate(WALK)
    ]
    assert {frame.problem for frame in judged(iter(frames))} == {
        "unclear which value is the walker"
    }


def test_a_frame_with_another_label_than_its_sequence_is_dropped_alone() -> None:
    frames = [Frame("x", image // 255, "") for image in WALK]
    other = np.where(frames[10].image, np.uint8(2), np.uint8(0))
    frames[10] = Frame("other", other, "")
    assert Counter(frame.problem for frame in judged(iter(frames))) == {
        "": FRAMES - 1,
        "other values than in the frames before": 1,
    }


def test_frames_that_show_nothing_decide_nothing() -> None:
    empty = np.zeros((120, 160), np.uint8)
    white = np.full((120, 160), 255, np.uint8)
    frames = [Frame("x", empty, "")] * 3 + [Frame("x", image // 255, "") for image in WALK]
    assert Counter(frame.note for frame in judged(iter(frames))) == {
        "values 0 and 1 taken as 0 and 255": FRAMES + 3
    }
    for each in (empty, white):
        (frame,) = judged(iter([Frame("x", each, "")]))
        assert frame.image is each
    assert list(judged(iter([]))) == []


def test_an_odd_frame_among_usual_ones_is_as_published() -> None:
    frames = [Frame("x", image, "") for image in WALK]
    frames[2] = Frame("x", WALK[2] // 255, "")
    assert all(a is b for a, b in zip(frames, judged(iter(frames)), strict=True))


def test_an_array_is_converted_frame_by_frame() -> None:
    walk = np.stack(WALK)
    ones = walk // 255
    ones[5, 0, 0] = 7
    meaning = meaning_of_all(ones)
    assert meaning == Meaning(0, 1)
    made, foreign = converted(ones, meaning)
    assert foreign.tolist() == [5]
    np.testing.assert_array_equal(made, np.delete(walk, 5, axis=0))
    assert meaning_of_all(np.zeros_like(walk)) is None


def test_pretreatment_says_how_often_it_had_to_convert(tmp_path: Path) -> None:
    rows = []
    for name, encode in {
        "plain": png,
        "ones": scaled(1),
        "labels": UNCLEAR["labels 1 2 9"],
    }.items():
        key = SequenceKey("001", name, "000")
        folder = tmp_path / "raw" / Path(*key)
        folder.mkdir(parents=True)
        for file, data in encoded(encode):
            (folder / file).write_bytes(data)
        rows.append(CatalogueRow(key, RowKind.IMAGES, File(str(Path(*key))), "", "0123"))
    shard, output = tmp_path / "1.csv", tmp_path / "1.pkl.csv"
    shard.write_text(rows_text(rows))
    summary = pretreat_shard(shard, tmp_path / "raw", tmp_path, output)
    assert "guessed: 12 values 0 and 1 taken as 0 and 255" in str(summary)
    assert "dropped: 12 unclear which value is the walker" in str(summary)
    found = {row.key.condition: row for row in read_manifest(output)}
    assert found["ones"].guessed == {"values 0 and 1 taken as 0 and 255": FRAMES}
    assert found["ones"].sha256 == found["plain"].sha256 and found["plain"].guessed == {}
    assert found["labels"].pkl == ""
    np.testing.assert_array_equal(read_pkl(tmp_path / found["ones"].pkl), align(WALK, 64).frames)


@pytest.mark.parametrize("first", [True, False])
def test_single_frames_that_are_black_on_white_are_dropped(first: bool) -> None:
    usual = [Frame(f"{number}", walker(number), "") for number in range(9)]
    inverted = [Frame(f"x{number}", 255 - walker(number), "") for number in range(2)]
    frames = [*inverted, *usual] if first else [*usual, *inverted]
    found = {frame.name: frame for frame in judged(iter(frames))}
    assert all(found[frame.name] is frame for frame in usual)
    assert {found[frame.name].problem for frame in inverted} == {OTHER_VALUES}


def test_a_walker_may_touch_every_border() -> None:
    image = np.zeros((64, 44), np.uint8)
    image[:, 10:30] = image[20:40] = 255
    image[0, 0] = image[0, -1] = 255
    frames = [Frame(f"{number}", image, "") for number in range(10)]
    assert all(a is b for a, b in zip(frames, judged(iter(frames)), strict=True))
