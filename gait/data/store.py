"""The packed store: all frames of a dataset in memory-mapped files, one a modality."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from gait.errors import DataError, nearest
from gait.modalities import MODALITIES, SILHOUETTES, packed_name
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


class PackedStore:
    """Random access to the frames of a packed dataset, found through `packed/index.csv`.

    `frames.npy` holds the silhouettes, `<modality>.npy` any other modality, frame by frame in the
    same order; not all need be there. Opening reads the index only. A pickled store carries no
    frames: whoever unpickles it maps the files anew, so that worker processes share the page cache
    and nothing else.

    Attributes:
        keys: subject, condition and view of each sequence.
        lengths: frames of each sequence, int64.
        subjects: distinct subjects, sorted.
        subject_codes: position in `subjects` of each sequence's subject, int32.

    Raises:
        DataError: a file is missing or torn, or the two do not belong together.
    """

    def __init__(self, packed: Path) -> None:
        self._folder = packed
        self._arrays: dict[str, Array] = {}
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
        return {**vars(self), "_arrays": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    @property
    def modalities(self) -> list[str]:
        """What the store holds of each frame."""
        return sorted(each for each in MODALITIES if (self._folder / packed_name(each)).exists())

    def frame_shape(self, modality: str = SILHOUETTES) -> tuple[int, ...]:
        """Shape of one frame, such as (height, width)."""
        return tuple(self._array(modality).shape[1:])

    def dtype(self, modality: str = SILHOUETTES) -> np.dtype[Any]:
        """Type of the values of a frame."""
        return self._array(modality).dtype

    def read(
        self, index: int, frames: npt.NDArray[np.int64] | slice, modality: str = SILHOUETTES
    ) -> Array:
        """Frames of one sequence, such as silhouettes uint8 [s, h, w]; no others are read.

        Args:
            index: position of the sequence in the store.
            frames: positions within the sequence, in any order and with repeats, which gives a
                copy; or a slice, which gives a view that cannot be written to.

        Raises:
            DataError: the store does not hold the modality, or its file is torn.
        """
        start = self._starts[index]
        return self._array(modality)[start : start + self.lengths[index]][frames]

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

    def _array(self, modality: str) -> Array:
        """The mapped frames of a modality, as many as the index lists."""
        if modality not in self._arrays:
            if modality not in (self.modalities or [SILHOUETTES]):
                raise DataError(
                    f"{self._folder}: holds no {modality}, expected it for `inputs` of the "
                    f"experiment; it holds {', '.join(self.modalities) or 'no frames at all'}; "
                    f"change `inputs`, or add pkl files <view>-{modality}.pkl and {REMEDY}"
                )
            path = self._folder / packed_name(modality)
            array = _mapped(path)
            listed = int((self._starts + self.lengths).max())
            if array.ndim and listed != len(array):
                raise DataError(
                    f"{self._folder / 'index.csv'}: lists {listed} frames, but {path} holds "
                    f"{len(array)}: the two files do not belong together; {REMEDY}"
                )
            if not MODALITIES[modality].fits(str(array.dtype), array.shape):
                raise DataError(
                    f"{path}: holds {array.dtype} of shape {list(array.shape)}, expected "
                    f"{MODALITIES[modality]}; {REMEDY}"
                )
            self._arrays[modality] = array
        return self._arrays[modality]

    def _check(self, index: Path) -> None:
        """The sequences must follow each other: no gap, no overlap, none twice."""
        if not len(self):
            raise DataError(f"{index}: lists no sequence, expected at least one; {REMEDY}")
        if self.lengths.min() < 1 or self._starts.min() < 0:
            raise DataError(
                f"{index}: has a negative start or a sequence without frames; {REMEDY}"
            )
        order = np.argsort(self._starts)
        ends = (self._starts + self.lengths)[order]
        if self._starts[order[0]] != 0 or np.any(ends[:-1] != self._starts[order[1:]]):
            raise DataError(f"{index}: has sequences that overlap or leave gaps; {REMEDY}")
        shape = [len(names) for _, names in self.keys._columns]
        codes = np.ravel_multi_index([codes for codes, _ in self.keys._columns], shape)
        _, first, count = np.unique(codes, return_index=True, return_counts=True)
        if len(first) < len(self):
            twice = self.keys[int(first[np.argmax(count)])]
            raise DataError(f"{index}: lists {twice} more than once; {REMEDY}")


def _mapped(path: Path) -> Array:
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: does not exist, expected the packed frames; {REMEDY}") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: is torn or no .npy file ({error}); {REMEDY}") from None
    # A plain array: indexing an np.memmap costs several times as much.
    return np.asarray(frames)


def _read_index(path: Path) -> pd.DataFrame:
    kinds = dict.fromkeys(SequenceKey._fields, "str") | {"start": "int64", "frames": "int64"}
    try:
        return pd.read_csv(path, usecols=list(kinds), dtype=kinds, na_filter=False)
    except FileNotFoundError:
        raise DataError(f"{path}: does not exist, expected the store's index; {REMEDY}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be used ({error}); {REMEDY}") from None


def _encoded(column: pd.Series[Any]) -> tuple[npt.NDArray[np.int32], list[str]]:
    """A column as codes into its sorted distinct values."""
    codes, names = pd.factorize(column, sort=True)
    return codes.astype(np.int32), list(names)
