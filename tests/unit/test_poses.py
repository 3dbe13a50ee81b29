"""Files of joints beside videos."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.modalities.video_poses import load_pose, save_pose

POSE = np.arange(4 * 17 * 3, dtype=np.float32).reshape(4, 17, 3)


def test_the_same_joints_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pose.npz", tmp_path / "b.pose.npz"
    size = save_pose(first, POSE)
    os.utime(first, ns=(5, 5))
    assert save_pose(first, POSE) == save_pose(second, POSE) == size == first.stat().st_size
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mtime_ns == 5
    np.testing.assert_array_equal(load_pose(first), POSE)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (POSE[..., :2], r"got float32 \[4, 17, 2\]; mend it or remove it"),
        (POSE.astype(np.int64), "got int64"),
        (POSE.astype(object), "cannot be read as such"),
        (np.where(POSE == 7, np.nan, POSE), "finite numbers"),
        (POSE[:, :0], r"got float32 \[4, 0, 3\]"),
    ],
)
def test_what_is_no_pose_is_refused(content: object, sentence: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", pose=content)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=sentence):
        load_pose(tmp_path / "x.npz")


def npz(header: bytes, content: bytes = b"", form: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A file with an array of that header."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", form) as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("pose.npy", b"\x93NUMPY\x01\x00" + length + header + content)
    return made.getvalue()


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 17, 3), }\n"


@pytest.mark.parametrize(
    "data",
    [
        npz(HEADER.replace("4, ", "10000000000000, ").encode(), POSE.tobytes()),
        npz(HEADER.replace("4, ", "9" * 400 + ", ").encode(), POSE.tobytes()),
        npz(HEADER.replace("4, ", "9" * 60 + "x, ").encode(), POSE.tobytes()),
        npz(HEADER.replace("4, ", "2, " * 60).encode(), POSE.tobytes()),
        npz(HEADER.replace("4, ", "-4, ").encode(), POSE.tobytes()),
        npz(HEADER.replace("4, ", "0, 4611686018427387904, ").encode()),
        npz(HEADER.replace("'<f4'", "[('a', '<f4')]").encode(), POSE.tobytes()),
        npz(HEADER.replace("<f4", "|O").encode(), POSE.tobytes()),
        npz(HEADER.replace("<f4", "\x1b[2J").encode(), POSE.tobytes()),
        npz(b"-" * 9000 + b"1", POSE.tobytes()),
        npz(b"(" * 9000, POSE.tobytes()),
        npz(HEADER.encode(), POSE.tobytes()[:-1]),
        npz(HEADER.encode(), POSE.tobytes(), zipfile.ZIP_LZMA),
        npz(HEADER.encode(), POSE.tobytes())[:-5],
        b"PK\x05\x06" + bytes(8) + b"\xff" * 8 + bytes(2),
    ],
)
def test_a_header_that_lies_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.npz: expected float32") as told:
        load_pose(tmp_path / "x.npz")
    assert len(str(told.value)) < 1500 and str(told.value).isprintable()


def test_every_byte_that_is_another_one_is_a_pose_or_told(tmp_path: Path) -> None:
    whole = npz(HEADER.encode(), POSE.tobytes())
    path = tmp_path / "x.npz"
    path.write_bytes(whole)
    np.testing.assert_array_equal(load_pose(path), POSE)
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            assert load_pose(path).shape[1:] == (17, 3)
        except DataError as error:
            assert "x.npz: " in str(error)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 half", b"text"])
def test_a_broken_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.npz: expected float32 \[frames, joints, 3\]"):
        load_pose(tmp_path / "x.npz")


def test_an_array_of_doubles_is_read_as_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", pose=POSE.astype(np.float64), other=POSE)
    assert load_pose(tmp_path / "x.npz").dtype == np.float32
    np.savez(tmp_path / "x.npz", joints=POSE)
    with pytest.raises(DataError, match="named 'pose'"):
        load_pose(tmp_path / "x.npz")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not on disk any more; put it back"):
        load_pose(tmp_path / "x.npz")
