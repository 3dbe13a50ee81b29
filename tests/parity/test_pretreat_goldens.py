"""The alignment gives the arrays of the published algorithm, for every frame of the vectors.

The published program scales with OpenCV, and so does ours: on one processor they are equal byte
for byte. Where a value lies halfway between two levels, OpenCV rounds it differently on different
processors (its kernels for Intel's and AMD's add up in another order), so that at 128 pixels a few
values may be one level beside those that were recorded elsewhere; at 64 and 63 none was seen to.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gait.formats.catalogue import CatalogueRow, RowKind, rows_text
from gait.formats.manifest import read_manifest
from gait.formats.pkl import read_pkl
from gait.formats.source import File
from gait.prepare.sequences.pretreat import pretreat_shard
from gait.prepare.silhouettes.align import align
from gait.types import SequenceKey

GOLDENS = Path(__file__).parent / "goldens" / "pretreat"

# Of 671,744 values at 128 pixels; one was seen, on an AMD EPYC.
HALFWAY = 5

SURVIVORS = {
    "03_sum_10001",
    "04_left_border",
    "05_right_border",
    "06_left_flush",
    "07_right_flush",
    "08_wide",
    "09_column_mid",
    "11_column_x319",
    "12_row_one_pixel",
    "13_full_white",
    "15_speck_above",
    "16_two_columns_tie",
    "17_soft_gray",
    "18_noise_texture",
    "19_two_people",
}


def inputs() -> dict[str, dict[str, NDArray[np.uint8]]]:
    """Frames by sequence ('subject|condition|view') and name, without those stored as they are."""
    sequences: dict[str, dict[str, NDArray[np.uint8]]] = {}
    with np.load(GOLDENS / "inputs_sil.npz") as stored:
        for name in stored.files:
            sequence, _, frame = name.rpartition("|")
            if not sequence.startswith("00001train"):
                sequences.setdefault(sequence, {})[frame] = stored[name]
    return sequences


def expected(size_px: int) -> dict[str, NDArray[np.uint8]]:
    with np.load(GOLDENS / f"out_sil_{size_px}.npz") as stored:
        return {
            name.rpartition("|")[0]: stored[name]
            for name in stored.files
            if not name.startswith("00001train")
        }


@pytest.mark.parametrize(("size_px", "halfway"), [(64, 0), (128, HALFWAY), (63, 0)])
def test_every_sequence_is_byte_identical(size_px: int, halfway: int) -> None:
    wanted = expected(size_px)
    found = {
        sequence: align([frames[name] for name in sorted(frames)], size_px).frames
        for sequence, frames in inputs().items()
    }
    assert {sequence for sequence, frames in found.items() if len(frames)} == set(wanted)
    differing = 0
    for sequence, frames in wanted.items():
        assert found[sequence].shape == frames.shape, sequence
        beside = np.abs(found[sequence].astype(np.int16) - frames)
        assert beside.max() <= 1, sequence
        differing += int(beside.sum())
    assert differing <= halfway


@pytest.mark.parametrize("size_px", [64, 128, 63])
def test_the_same_edge_frames_survive(size_px: int) -> None:
    frames = inputs()["001|edge-01|000"]
    names = sorted(frames)
    aligned = align([frames[name] for name in names], size_px)
    assert {names[position] for position in aligned.kept} == SURVIVORS
    assert aligned.dropped == {
        "too few pixels": 3,
        "values 0/1 instead of 0/255": 1,
        "centre at the left edge": 1,
    }


@pytest.mark.parametrize(("size_px", "reason"), [(64, "too narrow"), (128, "centre at the left")])
def test_a_figure_that_stops_the_published_program_is_dropped(size_px: int, reason: str) -> None:
    aligned = align(list(inputs()["003|narrow-01|000"].values()), size_px)
    assert len(aligned.frames) == 0
    assert [name.startswith(reason) for name in aligned.dropped] == [True]


def test_from_image_files_to_pkl(tmp_path: Path) -> None:
    """Also the order of frames (f10, f11, f9) and what a sequence without frames leaves."""
    rows = []
    for sequence, frames in inputs().items():
        key = SequenceKey(*sequence.split("|"))
        folder = tmp_path / "raw" / Path(*key)
        folder.mkdir(parents=True)
        for name, frame in frames.items():
            assert cv2.imwrite(str(folder / f"{name}.png"), frame)
        rows.append(CatalogueRow(key, RowKind.IMAGES, File(str(Path(*key))), "", "0123"))
    shard = tmp_path / "shards" / "1-of-1.csv"
    shard.parent.mkdir()
    shard.write_text(rows_text(rows))
    output = tmp_path / "shards" / "1-of-1.pkl.csv"
    pretreat_shard(shard, tmp_path / "raw", tmp_path, output)
    wanted = expected(64)
    for row in read_manifest(output):
        array = wanted.pop("|".join(row.key), None)
        if array is None:
            assert not row.pkl and not (tmp_path / "pkl" / Path(*row.key)).exists()
            continue
        np.testing.assert_array_equal(read_pkl(tmp_path / row.pkl), array)
        assert row.sha256 == hashlib.sha256(array.tobytes()).hexdigest()
        assert row.frames_read == row.frames_kept + sum(row.dropped.values())
    assert not wanted
