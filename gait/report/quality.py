"""What became of a dataset's frames: the tables behind its quality report."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gait.errors import DataError
from gait.formats.blocks import Blocks, follow_each_other, read_digests
from gait.formats.seal import read_sealed_table
from gait.modalities import MODALITIES, SILHOUETTES, packed_name
from gait.report.shapes import Shapes, shapes_of
from gait.screen import shown

# Of shorter sequences it means little how steady they are.
LEAST_FRAMES = 5
NO_FRAME = "no frame to begin with"

_BLOCK_FRAMES = 8192
# Of one sequence; the sum over all fits into 64 bits.
_MOST_FRAMES = 10**12
_AGAIN = "delete it and run the workflow again"
_PACK_AGAIN = "delete index.csv beside it and run the workflow again"
_MANIFEST = ("subject", "condition", "view", "pkl", "frames_read", "frames_kept", "dropped")
# Columns that manifests of former versions lack.
_ADDED = {"modality": "str", "guessed": "str"}
_INDEX = ("subject", "condition", "view", "start", "frames")


@dataclass(frozen=True, slots=True)
class QualityLine:
    """A row of `quality.csv`.

    Attributes:
        what: 'kept', 'dropped' (frames, by reason), 'guessed' (kept frames, by what had to be
            guessed), 'left out' (sequences, by their commonest reason), 'view' or 'condition'
            (what is kept), 'length' (kept sequences by length), 'shape' (kept sequences that are
            not like a walker).
        name: the reason, guess, view, condition, length or fault; empty for what is kept in all.
        sequences: how many it concerns.
        frames: how many frames.
    """

    what: str
    name: str
    sequences: int
    frames: int


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of a prepared dataset.

    Attributes:
        modality: what the frames are; silhouettes where there are any.
        lines: the rows of `quality.csv`.
        keys: `<subject>/<condition>/<view>` of the kept sequences, in the order of the store.
        starts: position of each sequence's first frame, int64 [n].
        lengths: frames of each sequence, int64 [n].
        unsteadiness: how far the silhouette's area lies from halfway between the frame before
            and the frame after, on average, by the sequence's mean area; float64 [n], not a
            number for sequences of fewer than 5 frames. A stride changes the area smoothly,
            lost limbs make it jump. Empty where there are no silhouettes.
        shapes: how far each sequence has the shape of a walker; None without silhouettes.
    """

    modality: str
    lines: list[QualityLine]
    keys: list[str]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    unsteadiness: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    shapes: Shapes | None = None

    def ranked(self) -> NDArray[np.int64]:
        """Positions of the sequences whose steadiness is known, the best first.

        Steadiness alone would put a blob that never moves above every walker, so those with the
        fewest faults of shape come first, and among these the steadiest.
        """
        if self.shapes is None:
            return np.empty(0, np.int64)
        order = np.lexsort((self.unsteadiness, self.shapes.number_of_faults))
        return order[np.isfinite(self.unsteadiness[order])]

    def faults(self, position: int) -> list[str]:
        """What of a sequence's silhouettes is not like a walker, in a few words each."""
        return [] if self.shapes is None else self.shapes.faults(position)


def measure(manifest: Path, packed: Path) -> Quality:
    """Sum up a manifest and its packed store; each silhouette is read once.

    Raises:
        DataError: one of them is missing or is no such file.
    """
    table = _read(manifest, _MANIFEST)
    if "modality" in table:
        found = set(table["modality"])
        modality = SILHOUETTES if SILHOUETTES in found else min(found, default=SILHOUETTES)
        table = table[table["modality"] == modality]
    else:
        modality = SILHOUETTES
    index = _read(packed / "index.csv", _INDEX)
    starts = index["start"].to_numpy(np.int64)
    lengths = index["frames"].to_numpy(np.int64)
    keys = ["/".join(key) for key in zip(index.subject, index.condition, index.view, strict=True)]
    if not keys:
        raise DataError(f"{packed / 'index.csv'}: lists no sequence; delete it and run again")
    if not follow_each_other(starts, lengths):
        raise DataError(
            f"{packed / 'index.csv'}: has sequences that overlap or leave gaps, begin before the "
            f"first frame or are without frames; {_AGAIN}"
        )
    frames = silhouettes(packed)
    if frames is not None and len(frames) != lengths.sum():
        raise DataError(
            f"{packed}: index.csv lists {lengths.sum()} frames and frames.npy holds "
            f"{len(frames)}; delete index.csv and run the workflow again"
        )
    try:
        lines = list(_lines(table))
    except ValueError as error:
        raise DataError(f"{manifest}: {error}; {_AGAIN}") from None
    if frames is None:
        return Quality(modality, lines, keys, starts, lengths)
    shapes = shapes_of(frames, starts, lengths)
    lines += _shape_lines(shapes, lengths)
    unsteady = _unsteadiness(frames, starts, lengths)
    return Quality(modality, lines, keys, starts, lengths, unsteady, shapes)


def silhouettes(packed: Path) -> NDArray[np.uint8] | None:
    """The silhouettes of a packed store, mapped, uint8 [frames, h, w]; None if it has none.

    Raises:
        DataError: the file is torn or damaged.
    """
    path = packed / packed_name(SILHOUETTES)
    if not path.is_file():
        return None
    blocks = Blocks(path, read_digests(packed, _PACK_AGAIN), _PACK_AGAIN)
    blocks.check_all()
    frames, _ = blocks.array()
    if not MODALITIES[SILHOUETTES].fits(str(frames.dtype), frames.shape):
        raise DataError(
            f"{path}: holds {frames.dtype} of shape {list(frames.shape)}, expected "
            f"{MODALITIES[SILHOUETTES]}; {_PACK_AGAIN}"
        )
    return frames


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    numbers = ("start", "frames", "frames_read", "frames_kept")
    kinds = {name: "int64" if name in numbers else "str" for name in columns}
    data = io.BytesIO(read_sealed_table(path, _AGAIN))
    try:
        table = pd.read_csv(data, dtype=kinds | _ADDED, na_filter=False)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{path}: expected a table of sequences ({shown(error)}); {_AGAIN}"
        ) from None
    if missing := [name for name in columns if name not in table]:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}; {_AGAIN}")
    return table


def _lines(table: pd.DataFrame) -> Iterator[QualityLine]:
    for column in ("frames_read", "frames_kept"):
        if not table[column].between(0, _MOST_FRAMES).all():
            raise ValueError(f"expected a number of frames as {column} of each sequence")
    kept = table[table["frames_kept"] > 0]
    yield QualityLine("kept", "", len(kept), int(kept["frames_kept"].sum()))
    sequences: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    left_out: dict[str, list[int]] = defaultdict(list)
    for text, read, number in zip(
        table["dropped"], table["frames_read"], table["frames_kept"], strict=True
    ):
        dropped = _counts(text)
        sequences.update(dropped.keys())
        frames.update(dropped)
        if not number:
            reason = max(sorted(dropped), key=lambda each: dropped[each], default=NO_FRAME)
            left_out[reason].append(read)
    yield from _by_frames("dropped", sequences, frames)
    guessed = [_counts(text) for text in table.get("guessed", ())]
    yield from _by_frames(
        "guessed",
        Counter(what for each in guessed for what in each),
        sum(map(Counter, guessed), Counter[str]()),
    )
    for reason, numbers in sorted(left_out.items()):
        yield QualityLine("left out", reason, len(numbers), sum(numbers))
    for what in ("view", "condition"):
        for name, group in kept.groupby(what, sort=True)["frames_kept"]:
            yield QualityLine(what, str(name), len(group), int(group.sum()))
    lengths = kept["frames_kept"].to_numpy(np.int64)
    edges = length_edges(lengths)
    for low, high in pairwise(edges):
        inside = lengths[(lengths >= low) & (lengths < high)]
        yield QualityLine("length", f"{low}-{high - 1}", len(inside), int(inside.sum()))


def _shape_lines(shapes: Shapes, lengths: NDArray[np.int64]) -> Iterator[QualityLine]:
    for name, is_off in shapes.is_off.items():
        if is_off.any():
            yield QualityLine("shape", name, int(is_off.sum()), int(lengths[is_off].sum()))


def length_edges(lengths: NDArray[np.int64]) -> list[int]:
    """Borders of at most 20 classes of length, equally wide, of a round width, from 0 up."""
    if not len(lengths):
        return [0]
    longest = int(lengths.max()) + 1
    tens = 10 ** max(0, len(str(-(-longest // 20))) - 1)
    width = next(each * tens for each in (1, 2, 5, 10) if each * tens * 20 >= longest)
    return list(range(0, longest + width, width))


def _by_frames(what: str, sequences: Counter[str], frames: Counter[str]) -> Iterator[QualityLine]:
    """Lines of one kind, the one of most frames first."""
    for name, count in sorted(frames.items(), key=lambda each: (-each[1], each[0])):
        yield QualityLine(what, name, sequences[name], count)


def _counts(text: str) -> dict[str, int]:
    """Frames by reason, from `reason:count;reason:count`."""
    counts = {}
    for item in text.split(";"):
        reason, colon, count = item.rpartition(":")
        if item and not (colon and count.isascii() and count.isdecimal() and len(count) < 13):
            raise ValueError(f"expected 'reason:count', got {item[:100]!r}")
        if item:
            counts[reason] = int(count)
    return counts


def _unsteadiness(
    frames: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    areas = np.empty(len(frames), np.float64)
    for first in range(0, len(frames), _BLOCK_FRAMES):
        block = frames[first : first + _BLOCK_FRAMES]
        areas[first : first + len(block)] = block.reshape(len(block), -1).sum(1, dtype=np.uint32)
    order = np.argsort(starts)
    first_frames, sizes = starts[order], lengths[order]
    jumps = np.zeros(len(frames))
    jumps[1:-1] = np.abs(areas[1:-1] - (areas[:-2] + areas[2:]) / 2)
    # These have a neighbour in another sequence.
    jumps[first_frames] = jumps[first_frames + sizes - 1] = 0
    total = np.add.reduceat(areas, first_frames)
    known = (sizes >= LEAST_FRAMES) & (total > 0)
    jumped = np.add.reduceat(jumps, first_frames)[known] / (sizes[known] - 2)
    values = np.full(len(starts), np.nan)
    values[order[known]] = jumped / (total[known] / sizes[known])
    return values
