"""Judges silhouettes by their values: in images as they come, and in pkl files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.config.dataset import Pretreat
from gait.formats.catalogue import CatalogueRow
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.raw.frames import BRIGHT, DARK, Frame
from gait.prepare.raw.images import UNREADABLE
from gait.prepare.silhouettes.values import (
    UNCLEAR,
    ValueConverter,
    agreed,
    meaning_of,
    meaning_of_all,
)

# Of a sequence of images, how many are looked at.
_FRAMES_OF_EACH = 8
# Of what is not black, a silhouette has mostly white, and gray at its edges; a few pixels of
# gray say nothing.
_GREY_SHARE, _LEAST_PX = 0.6, 40
# How much of an image a walker fills at most.
_FILLED_SHARE = 0.9
# Of the walker's height, by how much faint gray may lengthen what is cut out.
_LONGER = 0.02
# From outside, a smooth edge gets brighter from row to row, up to this level by that much.
_FAINT_LEVEL, _RISE_PCT = 64, 115

_PHOTOGRAPH = "that are mostly grey and no silhouettes"
_EMPTY = "without a silhouette in them"
_FILLED = "that are white nearly everywhere"
_FAINT = "with faint gray above or below the walker"
_DROPPED = "as they are, these frames are dropped"
_FIXES = {
    UNREADABLE: f"copy them again; {_DROPPED}",
    _PHOTOGRAPH: "put silhouettes there, the person white on black, or the videos they come from",
    _EMPTY: f"look whether the walker got lost when they were made; {_DROPPED}",
    _FILLED: "look at them, the person alone has to be white; they are used as they are",
    _FAINT: (
        "save them as png with black and white alone, as JPEG leaves such gray; as they are, "
        "walkers are cut out too tall, which published programs do as well"
    ),
    UNCLEAR: f"give them one value for the walker, best 255, and 0 for all else; {_DROPPED}",
}
_OTHER_SIZE = (
    "say 'pretreat: {kind: normalise}' in dataset.yaml to have them aligned, or their size by "
    "size_px; with kind as_is, these frames are dropped"
)
_CONVERT = (
    "run `gait import-pkl` with --convert, which writes such files anew with 0 and 255; as it is, "
    "the tree is not imported"
)
_CONVERTED = "they are used so; nothing has to be done"
# Kinds of pretreatment that cut the walker out by every pixel that is not 0.
_CUTTING = ("normalise", "ccpg")
# What remains in use, to whatever end; of the other frames nothing does.
_USED = frozenset({_PHOTOGRAPH, _FILLED, _FAINT})


def of_images(
    sequences: Iterable[tuple[CatalogueRow, Iterator[Frame]]], pretreat: Pretreat
) -> Iterator[Finding]:
    """What is found in the first images of some sequences.

    Args:
        sequences: the rows and their frames, as `read_images` gives them.
        pretreat: what is to be made of them.
    """
    wanted_px = pretreat.size_px if pretreat.kind == "as_is" else None
    other_size = f"not {wanted_px} x {wanted_px} px"
    seen: Counter[str] = Counter()
    notes: set[str] = set()
    examples: dict[str, list[str]] = defaultdict(list)
    longer: list[float] = []
    for row, frames in sequences:
        sample = list(islice(frames, _FRAMES_OF_EACH))
        good = [frame.image for frame in sample if frame.image is not None]
        found = Counter(frame.problem for frame in sample if frame.image is None)
        found.update(frame.note for frame in sample if frame.note)
        notes.update(frame.note for frame in sample)
        if wanted_px is not None:
            other = [each for each in good if each.shape != (wanted_px, wanted_px)]
            found[other_size] += len(other)
            good = [each for each in good if each.shape == (wanted_px, wanted_px)]
        meaning = agreed(map(meaning_of, good))
        if meaning is not None and not meaning.is_usual:
            found[meaning.note if meaning.is_clear else UNCLEAR] += len(good)
            notes.update({meaning.note} if meaning.is_clear else ())
            good = [
                image for image in map(ValueConverter(meaning), good) if not isinstance(image, str)
            ]
        else:
            found.update(map(_oddity, good))
        lengths = [_lengthening(image) for image in good] if meaning is not None else []
        if pretreat.kind in _CUTTING and lengths and median(lengths) > _LONGER:
            found[_FAINT] += len(good)
            longer += lengths
        for what in +found:
            examples[what].append(str(row.source))
        seen.update(found)
        seen["looked at"] += len(sample)
    looked_at = seen["looked at"]
    for what, sources in sorted(examples.items()):
        if not what:
            continue
        example = f"in {such_as(sources)}"
        if what == _FAINT:
            example += f"; {100 * median(longer):.0f} % too tall"
        fix = _OTHER_SIZE if what == other_size else _FIXES.get(what, _DROPPED)
        if what in notes:
            yield Finding(
                Severity.note, f"images: {what}, of {looked_at}", seen[what], example, _CONVERTED
            )
            continue
        is_all = seen[what] == looked_at and what not in _USED
        severity = Severity.error if is_all else Severity.warning
        kind = f"images {what.removeprefix('image ')}, of {looked_at} looked at"
        yield Finding(severity, kind, seen[what], example, fix)


def of_arrays(sequences: Iterable[tuple[str, NDArray[np.uint8]]]) -> Iterator[Finding]:
    """What is found in silhouettes that were aligned by others.

    Args:
        sequences: what each is called, and its frames [s, h, w].
    """
    examples: dict[str, list[str]] = defaultdict(list)
    fixes: dict[str, tuple[Severity, str]] = {}
    number = 0
    for name, frames in sequences:
        number += 1
        what = ""
        meaning = meaning_of_all(frames)
        if meaning is None:
            what = _oddity(frames.reshape(-1, frames.shape[-1]))
            what = what or "in which nothing can be told from nothing"
            fixes[what] = (
                Severity.warning,
                _FIXES.get(what, "look at them; they are used as they are"),
            )
        elif not meaning.is_clear:
            what = UNCLEAR
            fixes[what] = Severity.warning, "look at them; they are used as they are"
        elif not meaning.is_usual:
            what = meaning.note
            fixes[what] = Severity.error, _CONVERT
        if what:
            examples[what].append(name)
    for what, names in sorted(examples.items()):
        severity, fix = fixes[what]
        kind = f"sequences of silhouettes, {what}, of {number} read"
        yield Finding(severity, kind, len(names), such_as(names), fix)


def _oddity(image: NDArray[np.uint8]) -> str:
    """Why an image can hardly be a silhouette; empty for one that can."""
    bright = np.count_nonzero(image >= BRIGHT)
    gray = image.size - bright - np.count_nonzero(image <= DARK)
    if not image.any():
        return _EMPTY
    if image.max() < BRIGHT or gray > max(_LEAST_PX, _GREY_SHARE * (gray + bright)):
        return _PHOTOGRAPH
    return _FILLED if bright > _FILLED_SHARE * image.size else ""


def _lengthening(image: NDArray[np.uint8]) -> float:
    """By what share of the walker's height faint gray makes it taller; 0 for smooth edges."""
    rows = cv2.reduce(image, 1, cv2.REDUCE_MAX)[:, 0].astype(np.int64)
    faint, walker = np.flatnonzero(rows), np.flatnonzero(rows > 127)
    if not len(walker):
        return 0.0
    bands = rows[faint[0] : walker[0]], rows[walker[-1] + 1 : faint[-1] + 1][::-1]
    if all(map(_is_smooth, bands)):
        return 0.0
    return float(np.ptp(faint) + 1) / float(np.ptp(walker) + 1) - 1


def _is_smooth(band: NDArray[np.int64]) -> bool:
    """Whether the brightest values of rows, from outside, are those of a smooth edge."""
    is_faint = band[:-1] <= _FAINT_LEVEL
    return bool((100 * band[1:] >= _RISE_PCT * band[:-1])[is_faint].all())
