"""Point clouds in files of the two forms that are read, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.modalities.point_cloud import read_point_cloud

HEADER = """# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS {fields}
SIZE {sizes}
TYPE {types}
COUNT {counts}
WIDTH {points}
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS {points}
DATA {form}
"""
POINTS = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)


def header(form: str, points: int, **given: str) -> bytes:
    plain = {"fields": "x y z", "sizes": "4 4 4", "types": "F F F", "counts": "1 1 1"}
    return HEADER.format(form=form, points=points, **plain | given).encode()


def test_binary() -> None:
    data = header("binary", 40) + POINTS.tobytes()
    points = read_point_cloud(data, "1.pcd")
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, POINTS)


def test_ascii() -> None:
    lines = "\n".join(" ".join(map(repr, point)) for point in POINTS.tolist())
    data = header("ascii", 40) + lines.encode() + b"\n"
    np.testing.assert_array_equal(read_point_cloud(data, "1.pcd"), POINTS)
    with_returns = data.replace(b"\n", b"\r\n")
    np.testing.assert_array_equal(read_point_cloud(with_returns, "1.pcd"), POINTS)


@pytest.mark.parametrize("form", ["binary", "ascii"])
def test_other_fields_around_the_axes_are_left_out(form: str) -> None:
    """As PCL writes points with an intensity: with padding of one name between the fields."""
    entries = {
        "fields": "_ intensity x normal y _ z",
        "sizes": "1 2 8 4 4 1 8",
        "types": "U U F F F U F",
        "counts": "4 1 1 3 1 4 1",
    }
    record = np.dtype(
        [
            ("a", "u1", 4), ("intensity", "<u2"), ("x", "<f8"), ("normal", "<f4", 3),
            ("y", "<f4"), ("b", "u1", 4), ("z", "<f8"),
        ]
    )  # fmt: skip
    records = np.zeros(40, record)
    records["intensity"] = 7
    for axis, column in zip("xyz", POINTS.T, strict=True):
        records[axis] = column
    if form == "binary":
        body = records.tobytes()
    else:
        rows = [[1, 2, 3, 4, 7, x, 5, 6, 7, y, 1, 2, 3, 4, z] for x, y, z in POINTS.tolist()]
        body = "\n".join(" ".join(map(repr, row)) for row in rows).encode()
    points = read_point_cloud(header(form, 40, **entries) + body, "1.pcd")
    np.testing.assert_array_equal(points, POINTS)


def test_points_without_a_place_are_left_out() -> None:
    data = header("ascii", 3) + b"1 2 3\nnan nan nan\n4 5 inf\n"
    assert read_point_cloud(data, "1.pcd").tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize("form", ["binary", "ascii"])
def test_a_cloud_without_points(form: str) -> None:
    assert read_point_cloud(header(form, 0), "1.pcd").shape == (0, 3)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "0 bytes without its header"),
        (b"\x00" * 9000, "9000 bytes without its header"),
        (header("binary", 40) + POINTS.tobytes()[:-1], "cannot be read"),
        (header("ascii", 3) + b"1 2 3\n4 5", "cannot be read"),
        (header("ascii", 1) + b"1 2 x", "cannot be read"),
        (header("binary_compressed", 40) + b"12345678", "binary_compressed, so write it anew"),
        (header("binary", 10**12) + POINTS.tobytes(), "1000000000000 points in 480 bytes"),
        (header("ascii", 10**12) + b"1 2 3", "3000000000000 numbers in 5 bytes"),
        (header("binary", 10**400) + POINTS.tobytes(), "10{100}"),
        (header("ascii", 2) + b"1 2 3 4 5 6 7", "more than 6 numbers"),
        (header("ascii", 2) + b"1 2 3 4 5      ", "5 numbers instead of 6"),
        (header("ascii", 1) + b"1 2 \x1b[2J", "cannot be read"),
        (header("ascii", 3) + b"1 2 " + b"x" * 10**6, "cannot be read"),
        (header("binary", 40, counts="1 1 -1") + POINTS.tobytes(), "-1 numbers for z"),
        (header("binary", 40, types="F F " + "O" * 2000) + POINTS.tobytes(), "OOO"),
        (header("binary", 40).replace(b"POINTS 40", b"POINTS") + POINTS.tobytes(), "read"),
        (header("binary", -1) + POINTS.tobytes(), "-1 points"),
        (header("binary", 40, fields="x y i") + POINTS.tobytes(), "no field of name z"),
        (header("ascii", 1, fields="x y i") + b"1 2 3", "'z'"),
        (header("binary", 40, sizes="4 4 3") + POINTS.tobytes(), "a number of 3 bytes"),
        (header("binary", 40, types="F F O") + POINTS.tobytes(), "'O'"),
        (header("binary", 40, counts="1 1") + POINTS.tobytes(), "shorter"),
        (header("binary", 40, counts="1 1 2") + POINTS.tobytes(), "2 numbers for z"),
        (header("ascii", 1, fields="x x y", counts="1 1 1") + b"1 2 3", "cannot be read"),
        (
            header(
                "ascii",
                0,
                fields="x y z i",
                sizes="4 4 4 4",
                types="F F F F",
                counts="1 1 1 9999999",
            ),
            "a point of 40000008 bytes",
        ),
        (header("binary", 40).replace(b"POINTS", b"NUMBER") + POINTS.tobytes(), "POINTS"),
    ],
)
def test_what_is_no_cloud_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(DataError, match=rf"1\.pcd: expected a point cloud .*{what}") as told:
        read_point_cloud(data, "1.pcd")
    assert len(str(told.value)) < 1500 and str(told.value).isprintable()


def test_numbers_across_blocks_and_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gait.prepare.modalities.point_cloud._BLOCK_BYTES", 7)
    lines = "\n".join(" ".join(map(repr, point)) for point in POINTS.tolist())
    data = header("ascii", 40) + lines.encode() + b"  \n" * 9
    np.testing.assert_array_equal(read_point_cloud(data, "1.pcd"), POINTS)
    data = header("ascii", 2) + b"1 2 1e300 4 5 6"
    assert read_point_cloud(data, "1.pcd").tolist() == [[4.0, 5.0, 6.0]]


def test_a_cloud_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIT_MAX_FILE_BYTES", "100")
    with pytest.raises(DataError, match=r"1\.pcd: a point cloud of .*GAIT_MAX_FILE_BYTES"):
        read_point_cloud(header("binary", 40) + POINTS.tobytes(), "1.pcd")
