"""Looks at raw sequences: names, sizes and first bytes of all of them, the pictures of a few."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from gait.config.dataset import Pretreat
from gait.files import confined
from gait.formats.catalogue import CatalogueRow, RowKind
from gait.formats.source import ArchiveMember, File, Source
from gait.prepare.check import values
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.prepare.check.headers import EMPTY, image_header, video_header
from gait.prepare.raw.files import frame_entries, state_of
from gait.prepare.raw.frames import natural
from gait.prepare.raw.sources import read_images
from gait.prepare.silhouettes.video import VideoError, read_video
from gait.prepare.summary import FEW_FRAMES

# Sequences of which pictures are decoded; an archive is read for each.
_SAMPLE, _ARCHIVES = 16, 4
# A sequence of less than this share of the usual length is suspicious.
_SHORT_SHARE = 0.1

_COPY_AGAIN = "copy them again, or take them away; as they are, they give few frames or none"


@dataclass(frozen=True, slots=True)
class _Item:
    """A sequence as far as names, sizes and first bytes tell.

    Attributes:
        frames: its length; None where that is not known.
        problem: what is wrong with it; empty if nothing is seen.
        empty_frames: images without a byte.
        disorder: two images whose names are in another order than the numbers in them, if any.
        twice: what images of several kinds are called, if any.
    """

    row: CatalogueRow
    frames: int | None
    problem: str = ""
    empty_frames: int = 0
    disorder: str = ""
    twice: str = ""


def check_raw(
    raw: Path, rows: list[CatalogueRow], frames: dict[Source, int], pretreat: Pretreat
) -> Iterator[Finding]:
    """Unreadable, empty and suspiciously short sequences, and pictures that are no silhouettes.

    Args:
        raw: the dataset's raw folder.
        rows: its sequences, sorted by key.
        frames: number of frames of sequences in archives, by source.
        pretreat: what is to be made of the pictures.
    """
    items = [_item(raw, row, frames) for row in rows]
    by_problem: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.problem:
            by_problem[item.problem].append(str(item.row.source))
    for problem, sources in sorted(by_problem.items()):
        yield _unusable(f"sequences {problem}", sources, len(items))
    if empty := [item for item in items if item.empty_frames]:
        yield Finding(
            Severity.warning,
            f"images {EMPTY}",
            sum(item.empty_frames for item in empty),
            f"in {such_as(str(item.row.source) for item in empty)}",
            "copy them again; as they are, these frames are dropped",
        )
    sound = [item for item in items if not item.problem]
    yield from short_ones((str(item.row.source), item.frames) for item in sound)
    if twice := [f"{item.row.source}: {item.twice}" for item in items if item.twice]:
        yield Finding(
            Severity.warning,
            "sequences with several images of one name",
            len(twice),
            such_as(twice),
            "move those away that are no silhouettes; as they are, each is a frame",
        )
    disordered = [f"{item.row.source}: {item.disorder}" for item in items if item.disorder]
    if disordered and pretreat.frame_order == "lexical":
        yield Finding(
            Severity.note,
            "sequences whose images by name are not in the order of their numbers",
            len(disordered),
            such_as(disordered),
            "they are read by name; where numbers are the order, write "
            "'pretreat: {frame_order: natural}' in dataset.yaml",
        )
    yield from _sampled(raw, [item.row for item in sound if item.frames != 0], pretreat)


def short_ones(lengths: Iterable[tuple[str, int | None]]) -> Iterator[Finding]:
    """Sequences without a frame, with hardly any, or with far fewer than most others.

    Args:
        lengths: name and number of frames of each sequence, None where that is not known.
    """
    known = {name: number for name, number in lengths if number is not None}
    if not known:
        return
    usual = median(known.values())
    none = [name for name, number in known.items() if not number]
    few = [name for name, number in known.items() if 0 < number < FEW_FRAMES]
    shorter = [
        name for name, number in known.items() if FEW_FRAMES <= number < _SHORT_SHARE * usual
    ]
    if none:
        severity = Severity.error if len(none) == len(known) else Severity.warning
        fix = "copy them again; without a frame there is nothing to make of them"
        yield Finding(severity, "sequences without a frame", len(none), such_as(none), fix)
    if few:
        fix = "copy them again if your copy should be whole; they are used as they are"
        kind = f"sequences with fewer than {FEW_FRAMES} frames"
        yield Finding(Severity.warning, kind, len(few), such_as(few), fix)
    if shorter:
        kind = f"sequences with less than a tenth of the usual {usual:.0f} frames"
        fix = "look whether something is missing; they are used as they are"
        yield Finding(Severity.warning, kind, len(shorter), such_as(shorter), fix)


def spread(number: int, wanted: int) -> list[int]:
    """Positions of at most `wanted` of `number` things, from the first to the last."""
    count = min(number, wanted)
    return sorted({round(each) for each in np.linspace(0, number - 1, count)} if count else set())


def _item(raw: Path, row: CatalogueRow, frames: dict[Source, int]) -> _Item:
    if row.kind is RowKind.VIDEO:
        header = video_header(confined(raw, str(row.source)))
        return _Item(row, header.frames, header.problem)
    # How many frames an array has, only reading it tells.
    is_array = row.kind is RowKind.PKL
    if isinstance(row.source, ArchiveMember):
        return _Item(row, None if is_array else frames.get(row.source))
    item = _folder(raw, row, confined(raw, row.source.path))
    return replace(item, frames=None) if is_array else item


def _folder(raw: Path, row: CatalogueRow, path: Path) -> _Item:
    names = []
    empty = 0
    for entry in frame_entries(raw, path, row.kind):
        names.append(entry.name)
        empty += not state_of(entry).size
    if not names:
        return _Item(row, 0)
    if empty == len(names):
        return _Item(row, len(names), EMPTY)
    is_picture = row.kind.has_silhouettes and not empty
    problem = image_header(path / min(names)).problem if is_picture else ""
    if not row.kind.has_silhouettes:
        return _Item(row, len(names), problem, empty)
    stems = Counter(name.rpartition(".")[0] for name in names)
    stem, number = stems.most_common(1)[0]
    return _Item(row, len(names), problem, empty, _disorder(names), stem if number > 1 else "")


def _disorder(names: list[str]) -> str:
    """The first two of some names that change places when numbers count as numbers."""
    if len(set(map(len, names))) == 1:
        return ""
    pairs = zip(sorted(names), sorted(names, key=natural), strict=True)
    return next((f"{one} before {other}" for one, other in pairs if one != other), "")


def _unusable(kind: str, examples: list[str], of: int) -> Finding:
    """A finding that is an error only where it leaves nothing."""
    severity = Severity.error if len(examples) == of else Severity.warning
    return Finding(severity, kind, len(examples), such_as(examples), _COPY_AGAIN)


def _sampled(raw: Path, rows: list[CatalogueRow], pretreat: Pretreat) -> Iterator[Finding]:
    """What the pictures of a few sequences, spread over all, show."""
    sample = [rows[index] for index in spread(len(rows), _SAMPLE)]
    videos = [row for row in sample if row.kind is RowKind.VIDEO]
    silhouettes = [row for row in sample if row.kind.has_silhouettes]
    images = [row for row in silhouettes if isinstance(row.source, File)]
    archived: dict[str, CatalogueRow] = {}
    for row in silhouettes:
        if isinstance(row.source, ArchiveMember):
            archived.setdefault(row.source.archive, row)
    images += list(archived.values())[:_ARCHIVES]
    if bad := [str(row.source) for row in videos if not _is_decodable(raw, row)]:
        yield _unusable(f"videos that no decoder reads, of {len(videos)} tried", bad, len(videos))
    yield from values.of_images(read_images(raw, images, raw.parent), pretreat)


def _is_decodable(raw: Path, row: CatalogueRow) -> bool:
    try:
        next(read_video(confined(raw, str(row.source))))
    except (VideoError, StopIteration):
        return False
    return True
