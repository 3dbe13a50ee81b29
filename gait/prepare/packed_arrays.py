"""Writes the arrays of a packed store from pkl files, each checked against its manifest row.

Written, not mapped: on a full disk a write is an error that can be told, while a page of a mapped
file that finds no room kills the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gait.errors import DataError
from gait.formats.manifest import ManifestRow, pkl_path
from gait.formats.pkl import digest_of, read_pkl
from gait.modalities import MODALITIES
from gait.progress import Progress
from gait.ragged import Frames, Ragged


@dataclass(frozen=True, slots=True)
class ListedPkl:
    """A manifest row and the file it stands in."""

    row: ManifestRow
    manifest: Path


def write_array(target: Path, files: list[ListedPkl], root: Path) -> tuple[int, ...]:
    """Write one modality of all sequences, one after the other, [total frames, ...].

    Args:
        target: the file to write, in NumPy's format.
        files: what the manifests say of that modality, in the order of the store; at least one.
        root: the dataset's folder, which the paths lie below.

    Returns:
        The shape of a frame.

    Raises:
        DataError: a pkl cannot be read, is not what its row says, or has frames of another size.
    """
    size: tuple[int, ...] | None = None
    with target.open("wb") as file:
        for path, frames in _frames(files, root):
            assert isinstance(frames, np.ndarray)
            if size is None:
                size = frames.shape[1:]
                total = sum(each.row.frames_kept for each in files)
                _write_header(file, frames.dtype, (total, *size))
            if frames.shape[1:] != size:
                raise DataError(
                    f"{path}: expected frames of {size_text(size)} as in {files[0].row.pkl}, got "
                    f"{size_text(frames.shape[1:])}; a dataset has one size (in dataset.yaml, "
                    "pretreat.size_px, or pretreat.joints of poses): delete the "
                    "tables of the shards and run again"
                )
            file.write(frames.data)
    assert size is not None
    return size


def write_ragged(target: Path, offsets: Path, files: list[ListedPkl], root: Path) -> None:
    """Write one ragged modality of all sequences: rows, and where those of each frame begin.

    Args:
        target: gets the rows, [total rows, ...].
        offsets: gets the first row of each frame and at last the number of rows, int64
            [total frames + 1].
        files, root: as in `write_array`.

    Raises:
        DataError: a pkl cannot be read, or is not what its row says.
    """
    counts = [np.zeros(1, np.int64)]
    rows = 0
    with target.open("wb") as file:
        for _, frames in _frames(files, root):
            assert isinstance(frames, Ragged)
            dtype, shape = frames.dtype, frames.rows.shape[1:]
            if not rows:
                _write_header(file, dtype, (rows, *shape))
            file.write(frames.rows.data)
            counts.append(frames.counts)
            rows += len(frames.rows)
        # Each header has room for any number of rows, so it stays as long as it was.
        file.seek(0)
        _write_header(file, dtype, (rows, *shape))
    np.save(offsets, np.concatenate(counts).cumsum())


def size_text(size: tuple[int, ...]) -> str:
    """A shape for the screen: '64 x 44'."""
    return " x ".join(map(str, size))


def _write_header(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(file, header)


def _frames(files: list[ListedPkl], root: Path) -> Iterator[tuple[Path, Frames]]:
    """The frames of each sequence in our type, checked against its row, and their file."""
    progress = Progress(f"packing {files[0].row.modality}", len(files), "sequences")
    for each in files:
        row = each.row
        path = pkl_path(root, row.pkl, each.manifest)
        frames = read_pkl(path, row.modality)
        if len(frames) != row.frames_kept or digest_of(frames) != row.sha256:
            raise DataError(
                f"{path}: expected the {row.frames_kept} frames that {each.manifest} lists, "
                f"got {len(frames)} that differ from them; delete that table and run again"
            )
        yield path, frames.astype(MODALITIES[row.modality].dtypes[0], copy=False)
        progress.advance()
