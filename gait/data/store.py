"""The packed store: all frames of a dataset in memory-mapped files, one per modality."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from gait.errors import DataError, nearest
from gait.formats.blocks import Blocks, Digests, follow_each_other, read_digests
from gait.formats.seal import read_sealed_table
from gait.modalities import MODALITIES, SILHOUETTES, offsets_name, packed_name
from gait.ragged import Frames, Ragged
from gait.screen import shown
from gait.types import SequenceKey

REMEDY = "make it again with `gait pack`, or delete index.csv there and run the workflow again"
Array = npt.NDArray[Any]


class Keys(Sequence[SequenceKey]):
    """The keys of a store, in the order of its index; each is made when it is asked for."""

    def __init__(self, columns: list[tuple[npt.NDArray[np.int32], list[str]]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0][0])

    @overload
    def __getitem__(self, index: int) -> SequenceKey: ...

    @overload
    def __getitem__(self, index: slice) -> list[SequenceKey]: ...

    def __getitem__(self, index: int | slice) -> SequenceKey | list[SequenceKey]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return SequenceKey(*(names[codes[index]] for codes, names in self._columns))


class _Array:
    """The mapped frames of one modality, checked where they are first read.

    Attributes:
        frames: as many as the index lists.
    """

    def __init__(self, frames: Frames, blocks: Blocks, first_byte: int, sequences: int) -> None:
        self.frames = frames
        self._blocks = blocks
        self._first_byte = first_byte
        rows = frames.rows if isinstance(frames, Ragged) else frames
        self._row_bytes = rows.nbytes // len(rows)
        # Nothing else is looked at once all of a sequence has been checked.
        self._is_checked = bytearray(sequences)

    def read(
        self, index: int, start: int, length: int, wanted: npt.NDArray[np.int64] | slice
    ) -> Frames:
        """What is wanted of the sequence at `index`, which begins at frame `start`."""
        if not self._is_checked[index]:
            self._check(index, start, length, wanted)
        return self.frames[start : start + length][wanted]

    def _check(
        self, index: int, start: int, length: int, wanted: npt.NDArray[np.int64] | slice
    ) -> None:
        first, stop = 0, length
        if isinstance(wanted, slice):
            positions = range(length)[wanted]
            if positions:
                first, stop = min(positions), max(positions) + 1
        elif wanted.size and wanted.min() >= 0:
            first, stop = int(wanted.min()), min(length, int(wanted.max()) + 1)
        self._blocks.check(*self._bytes(start + first, start + stop))
        whole = self._bytes(start, start + length)
        self._is_checked[index] = self._blocks.is_checked(*whole)

    def _bytes(self, first: int, stop: int) -> tuple[int, int]:
        """The bytes of the file that frames lie in."""
        if isinstance(self.frames, Ragged):
            last = stop - 1
            first = int(self.frames.starts[first])
            stop = int(self.frames.starts[last] + self.frames.counts[last])
        return (
            self._first_byte + first * self._row_bytes,
            self._first_byte + stop * self._row_bytes,
        )


class PackedStore:
    """Random access to the frames of a packed dataset, found through `packed/index.csv`.

    `frames.npy` holds the silhouettes, `<modality>.npy` any other modality, frame by frame in the
    same order; not all need be there. Of a ragged modality, `<modality>.npy` holds the rows of all
    frames and `<modality>.offsets.npy` where each frame's begin. Opening reads the index and the
    offsets only; frames are checked against `digests.npz` when a process first reads them. A
    pickled store carries no frames: whoever unpickles it maps the files anew, so that worker
    processes share the page cache and nothing else.

    Attributes:
        keys: subject, condition and view of each sequence.
        lengths: frames of each sequence, int64.
        subjects: distinct subjects, sorted.
        subject_codes: position in `subjects` of each sequence's subject, int32.

    Raises:
        DataError: a file is missing, torn or damaged, or they do not belong together.
    """

    def __init__(self, packed: Path) -> None:
        self._folder = packed
        self._arrays: dict[str, _Array] = {}
        self._digests: Digests | None = None
        index = _read_index(packed / "index.csv")
        columns = [_encoded(index[name]) for name in SequenceKey._fields]
        self.keys = Keys(columns)
        self.subject_codes, self.subjects = columns[0]
        self._starts = index["start"].to_numpy(np.int64)
        self.lengths: npt.NDArray[np.int64] = index["frames"].to_numpy(np.int64)
        self._check(packed / "index.csv")
        for modality in self.modalities or [SILHOUETTES]:
            self._array(modality)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_arrays": {}, "_digests": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    @property
    def modalities(self) -> list[str]:
        """What the store holds of each frame."""
        return sorted(each for each in MODALITIES if (self._folder / packed_name(each)).exists())

    def blank(self, modality: str = SILHOUETTES) -> Frames:
        """Two frames of zeros, of the type and shape that `read` gives."""
        whole = self._array(modality).frames
        if isinstance(whole, Ragged):
            size = whole.rows.shape[1:]
            return Ragged.of([np.zeros((number, *size), whole.dtype) for number in (1, 2)])
        return np.zeros((2, *whole.shape[1:]), whole.dtype)

    @overload
    def read(self, index: int, frames: npt.NDArray[np.int64] | slice) -> Array: ...

    @overload
    def read(self, index: int, frames: npt.NDArray[np.int64] | slice, modality: str) -> Frames: ...

    def read(
        self, index: int, frames: npt.NDArray[np.int64] | slice, modality: str = SILHOUETTES
    ) -> Frames:
        """Frames of one sequence, such as silhouettes uint8 [s, h, w]; no others are read.

        Those of a ragged modality stay where they are until their rows are.

        Args:
            index: position of the sequence in the store.
            frames: positions within the sequence, in any order and with repeats, which gives a
                copy; or a slice, which gives a view that cannot be written to.

        Raises:
            DataError: the store does not hold the modality, or its file is torn or damaged.
        """
        start, length = int(self._starts[index]), int(self.lengths[index])
        return self._array(modality).read(index, start, length, frames)

    def indices_of(self, subjects: Iterable[str]) -> npt.NDArray[np.int64]:
        """Positions of all sequences of `subjects`, ascending.

        Raises:
            DataError: the store holds nothing of one of them.
        """
        position = {subject: code for code, subject in enumerate(self.subjects)}
        wanted = np.zeros(len(self.subjects), dtype=bool)
        for subject in subjects:
            if subject not in position:
                raise DataError(
                    f"{self._folder}: holds no sequence of subject {subject!r}; "
                    f"{nearest(subject, self.subjects)} Change the dataset's partition.yaml, "
                    f"or {REMEDY}"
                )
            wanted[position[subject]] = True
        return np.flatnonzero(wanted[self.subject_codes])

    def _array(self, modality: str) -> _Array:
        """The mapped frames of a modality, as many as the index lists."""
        if (opened := self._arrays.get(modality)) is not None:
            return opened
        if modality not in (self.modalities or [SILHOUETTES]):
            raise DataError(
                f"{self._folder}: holds no {modality}, expected it for `inputs` of the "
                f"experiment; it holds {', '.join(self.modalities) or 'no frames at all'}; "
                f"change `inputs`, or add pkl files <view>-{modality}.pkl and {REMEDY}"
            )
        expected = MODALITIES[modality]
        path = self._folder / packed_name(modality)
        if self._digests is None:
            self._digests = read_digests(self._folder, REMEDY)
        blocks = Blocks(path, self._digests, REMEDY)
        array, first_byte = blocks.array()
        shape = (1, *array.shape) if expected.is_ragged else array.shape
        if not expected.fits(str(array.dtype), shape) or not len(array):
            raise DataError(
                f"{path}: holds {array.dtype} of shape {list(array.shape)}, expected "
                f"{'the rows of all frames of ' if expected.is_ragged else ''}{expected}; "
                f"{REMEDY}"
            )
        whole: Frames = array
        if expected.is_ragged:
            whole = _cut(array, path, self._folder / offsets_name(modality), self._digests)
        listed = int((self._starts + self.lengths).max())
        if listed != len(whole):
            raise DataError(
                f"{self._folder / 'index.csv'}: lists {listed} frames, but {path} holds "
                f"{len(whole)}: the two files do not belong together; {REMEDY}"
            )
        opened = self._arrays[modality] = _Array(whole, blocks, first_byte, len(self))
        return opened

    def _check(self, index: Path) -> None:
        """The sequences must follow each other: no gap, no overlap, none twice."""
        if not len(self):
            raise DataError(f"{index}: lists no sequence, expected at least one; {REMEDY}")
        if not follow_each_other(self._starts, self.lengths):
            raise DataError(
                f"{index}: has sequences that overlap or leave gaps, begin before the first frame "
                f"or are without frames; {REMEDY}"
            )
        shape = [len(names) for _, names in self.keys._columns]
        codes = np.ravel_multi_index([codes for codes, _ in self.keys._columns], shape)
        _, first, count = np.unique(codes, return_index=True, return_counts=True)
        if len(first) < len(self):
            twice = self.keys[int(first[np.argmax(count)])]
            raise DataError(f"{index}: lists {twice} more than once; {REMEDY}")


def verify_store(packed: Path) -> list[str]:
    """What is damaged of a packed store, a sentence for each file; all of its bytes are read.

    Where there is no index, there is no store, and nothing is damaged.
    """
    if not (packed / "index.csv").exists():
        return []
    damaged: list[str] = []
    digests: Digests = {}
    try:
        _read_index(packed / "index.csv")
        digests = read_digests(packed, REMEDY)
    except DataError as error:
        damaged.append(str(error))
    for name in sorted(digests):
        try:
            Blocks(packed / Path(name).name, digests, REMEDY).check_all()
        except DataError as error:
            damaged.append(str(error))
    return damaged


def _cut(rows: Array, path: Path, offsets_path: Path, digests: Digests) -> Ragged:
    """Rows as frames, each of which begins where the offsets say and has at least one."""
    blocks = Blocks(offsets_path, digests, REMEDY)
    blocks.check_all()
    offsets, _ = blocks.array()
    is_sound = offsets.dtype == np.int64 and offsets.ndim == 1 and len(offsets) > 1
    counts = np.diff(offsets) if is_sound else np.zeros(1, np.int64)
    if counts.min() < 1 or offsets[0] != 0 or offsets[-1] != len(rows):
        raise DataError(
            f"{offsets_path}: does not say where the frames of {path} begin: the two files do "
            f"not belong together; {REMEDY}"
        )
    return Ragged(rows, offsets[:-1], counts)


def _read_index(path: Path) -> pd.DataFrame:
    kinds = dict.fromkeys(SequenceKey._fields, "str") | {"start": "int64", "frames": "int64"}
    data = io.BytesIO(read_sealed_table(path, REMEDY))
    try:
        return pd.read_csv(data, usecols=list(kinds), dtype=kinds, na_filter=False)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: cannot be used ({shown(error)}); {REMEDY}") from None


def _encoded(column: pd.Series[Any]) -> tuple[npt.NDArray[np.int32], list[str]]:
    """A column as codes into its sorted distinct values."""
    codes, names = pd.factorize(column, sort=True)
    return codes.astype(np.int32), list(names)
