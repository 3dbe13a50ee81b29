"""The quality report: sums against plain loops, and the worst sequence where it belongs."""

from __future__ import annotations

import base64
import csv
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from gait.errors import DataError
from gait.formats.manifest import ManifestRow, manifest_text
from gait.report.quality import length_edges, measure
from gait.report.quality_page import write_quality
from gait.types import SequenceKey
from tests.unit.packed import seal_packed
from tests.unit.test_page import Page

LENGTHS = {
    SequenceKey("001", "nm-01", "000"): 40,
    SequenceKey("001", "nm-01", "090"): 60,
    SequenceKey("002", "nm-01", "000"): 25,
    SequenceKey("002", "nm-01", "090"): 3,
    SequenceKey("003", "nm-01", "000"): 30,
    SequenceKey("004", "nm-01", "000"): 30,
}
FLICKERING = SequenceKey("002", "nm-01", "000")
STEADY = SequenceKey("003", "nm-01", "000")
BLOB = SequenceKey("004", "nm-01", "000")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dataset of which some was dropped; one sequence flickers and two do not move at all."""
    rng = np.random.default_rng(0)
    frames, index, start = [], ["subject,condition,view,start,frames,sha256"], 0
    rows = []
    for key, length in LENGTHS.items():
        block = np.zeros((length, 64, 64), np.uint8)
        block[:, 10:30, 26:34] = block[:, 30:50, 22:38] = 255
        block[:, 32:50, 26:34] = 0
        if key == FLICKERING:
            block[::2, 40:] = 0
        elif key == BLOB:
            block[:, 10:50, 20:40] = 255
        elif key != STEADY:
            for frame, lost_px in zip(block, rng.integers(0, 4, length), strict=True):
                frame[50 - lost_px :] = 0
        frames.append(block)
        index.append(f"{','.join(key)},{start},{length},{start:064x}")
        start += length
        dropped = {"too few pixels": 4, "unreadable": 1} if key.subject == "001" else {}
        read = length + sum(dropped.values())
        guessed = {"walker of several people": 2} if key.view == "090" else {}
        rows.append(ManifestRow(key, f"pkl/{key}.pkl", read, length, dropped, guessed=guessed))
    lost = SequenceKey("003", "nm-01", "090")
    rows.append(ManifestRow(lost, "", 9, 0, {"no walker": 8, "unreadable": 1}))
    rows.append(ManifestRow(SequenceKey("003", "nm-02", "000"), "", 0, 0))
    pose = ManifestRow(STEADY, "pose.pkl", 30, 30, {"unreadable": 99}, modality="pose")
    (tmp_path / "packed").mkdir()
    np.save(tmp_path / "packed/frames.npy", np.concatenate(frames))
    (tmp_path / "packed/index.csv").write_text("\n".join(index) + "\n", encoding="utf-8")
    seal_packed(tmp_path / "packed")
    (tmp_path / "manifest.csv").write_text(manifest_text([*rows, pose]), encoding="utf-8")
    return tmp_path


def written(data: Path) -> tuple[bytes, bytes]:
    table, page = data / "quality.csv", data / "quality.html"
    write_quality("Toy", data / "manifest.csv", data / "packed", table, page)
    return table.read_bytes(), page.read_bytes()


def test_frames_and_sequences_are_counted_by_reason_view_and_length(data: Path) -> None:
    written(data)
    with (data / "quality.csv").open(encoding="utf-8") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert [row for row in rows if row[0] != "length"] == [
        ("kept", "", "6", "188"),
        ("dropped", "no walker", "1", "8"),
        ("dropped", "too few pixels", "2", "8"),
        ("dropped", "unreadable", "3", "3"),
        ("guessed", "walker of several people", "2", "4"),
        ("left out", "no frame to begin with", "1", "0"),
        ("left out", "no walker", "1", "9"),
        ("view", "000", "4", "125"),
        ("view", "090", "2", "63"),
        ("condition", "nm-01", "6", "188"),
        ("shape", "fills too much or too little of the box around it", "1", "30"),
    ]
    lengths = [row for row in rows if row[0] == "length" and row[2] != "0"]
    assert lengths == [
        ("length", "0-4", "1", "3"),
        ("length", "25-29", "1", "25"),
        ("length", "30-34", "2", "60"),
        ("length", "40-44", "1", "40"),
        ("length", "60-64", "1", "60"),
    ]


def test_unsteadiness_is_how_far_the_area_lies_from_its_neighbours(data: Path) -> None:
    quality = measure(data / "manifest.csv", data / "packed")
    frames = np.load(data / "packed/frames.npy")
    start = 0
    for (key, length), value in zip(LENGTHS.items(), quality.unsteadiness, strict=True):
        areas = [int(frame.astype(np.int64).sum()) for frame in frames[start : start + length]]
        start += length
        if length < 5:
            assert np.isnan(value), key
            continue
        jumps = [abs(areas[t] - (areas[t - 1] + areas[t + 1]) / 2) for t in range(1, length - 1)]
        mean = sum(areas) / length
        np.testing.assert_allclose(value, sum(jumps) / (length - 2) / mean, rtol=1e-9)
    ranked = [quality.keys[each] for each in quality.ranked()]
    assert ranked[0] == str(STEADY) and ranked[-2:] == [str(FLICKERING), str(BLOB)]
    assert len(ranked) == 5


def test_the_page_shows_the_best_and_the_worst_and_is_the_same_again(data: Path) -> None:
    first = written(data)
    page = Page(first[1].decode())
    captions = " ".join(page.words)
    assert captions.index(f"{STEADY}, 30 frames, area jumps by 0.0") < captions.index(
        f"{BLOB}, 30 frames, area jumps by 0.0"
    )
    assert "fills 100 % of the box around it" in captions
    pictures = [each for each in page.references if each.startswith("data:image/png")]
    assert len(pictures) == 3
    strip = base64.b64decode(pictures[0].partition(",")[2])
    image = cv2.imdecode(np.frombuffer(strip, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image.shape == (64, 10 * 66) and image[30, 30] == 255
    assert all(each.startswith("data:image/") for each in page.references)
    assert b"http://" not in first[1] and written(data) == first


def test_a_dataset_without_silhouettes_has_no_contact_sheet(data: Path) -> None:
    (data / "packed/frames.npy").unlink()
    page = Page(written(data)[1].decode())
    assert not any("png" in each for each in page.references)


def test_a_store_that_does_not_belong_to_its_index(data: Path) -> None:
    np.save(data / "packed/frames.npy", np.zeros((7, 64, 64), np.uint8))
    seal_packed(data / "packed")
    with pytest.raises(DataError, match=r"lists 188 frames and frames.npy holds 7"):
        written(data)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("dropped", "unreadable"),
        ("dropped", "unreadable:-1"),
        ("dropped", "unreadable:1.5"),
        ("frames_kept", "-1"),
        ("frames_read", str(2**62)),
    ],
)
def test_a_cell_of_the_manifest_that_does_not_belong_there(
    data: Path, column: str, cell: str
) -> None:
    table = pd.read_csv(data / "manifest.csv", dtype=str, na_filter=False)
    table.loc[0, column] = cell
    table.to_csv(data / "manifest.csv", index=False)
    with pytest.raises(DataError, match=r"manifest\.csv: expected .* run the workflow again"):
        measure(data / "manifest.csv", data / "packed")


@pytest.mark.parametrize(
    ("column", "number"), [("start", 2**32 - 1), ("start", -1), ("frames", 0)]
)
def test_an_index_that_leaves_the_store(data: Path, column: str, number: int) -> None:
    table = pd.read_csv(data / "packed/index.csv", dtype={"subject": str, "view": str})
    table.loc[2, column] = number
    table.to_csv(data / "packed/index.csv", index=False)
    with pytest.raises(DataError, match=r"index\.csv: has sequences that overlap"):
        measure(data / "manifest.csv", data / "packed")


@pytest.mark.parametrize("name", ["manifest.csv", "packed/index.csv"])
def test_a_missing_table_is_a_sentence(data: Path, name: str) -> None:
    (data / name).unlink()
    with pytest.raises(DataError, match=name):
        written(data)


@pytest.mark.parametrize("longest", [1, 4, 19, 20, 99, 100, 720, 12345])
def test_classes_of_length_are_few_and_hold_all(longest: int) -> None:
    edges = length_edges(np.array([1, longest]))
    assert edges[0] == 0 and edges[-1] > longest and len(edges) <= 22
    assert len(set(np.diff(edges))) == 1
