"""Body models from .npz files, of which nothing is run."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.errors import DataError
from gait.prepare.modalities.smpl import read_smpl


def npz(results: object, name: str = "results") -> bytes:
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, **{name: results})  # type: ignore[arg-type]
    return content.getvalue()


def person(seed: int = 0, dtype: str = "float32") -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "verts": rng.random((20, 3)),
        "betas": rng.random(10).astype(dtype),
        "poses": rng.random(72).astype(dtype),
        "cam": rng.random(3).astype(dtype),
    }


def wanted(body: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.array([*body["cam"], *body["poses"], *body["betas"]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_person_in_the_order_cam_poses_betas(dtype: str) -> None:
    first, second = person(1, dtype), person(2, dtype)
    for results in ({0: first, 1: second}, [first, second], np.array([first, second])):
        body = read_smpl(npz(results), "frame.npz")
        assert (body.shape, body.dtype) == ((85,), np.dtype(dtype))
        np.testing.assert_array_equal(body, wanted(first))


class Command:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    body = person() | {"cam": Command(tmp_path / "run")}
    with pytest.raises(DataError, match=r"frame.npz: .*asks for \w+.mkdir, which was not run"):
        read_smpl(npz([body]), "frame.npz")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "BadZipFile"),
        (npz([person()])[:-40], "BadZipFile"),
        (npz([person()], "result"), "results.npy"),
        (npz(np.zeros(3)), "results are <f8"),
        (npz({}), "KeyError"),
        (npz([{"cam": np.zeros(3)}]), "poses"),
        (npz([person() | {"betas": np.zeros(11, np.float32)}]), "10 finite .* betas, got 11"),
        (npz([person() | {"cam": np.full(3, np.nan)}]), "3 finite real numbers in cam"),
        (npz([person() | {"cam": np.full(3, 1e300)}]), "3 finite real numbers in cam"),
        (npz([person() | {"cam": ["a", "b" * 1000, "c"]}]), "ValueError: expected numbers"),
        (npz([person() | {"cam": {"a": 1}}]), "ValueError: expected numbers"),
        (npz("text"), "results are <U4"),
        (npz([person() | {"cam": [1, 2, 3]}]), "3 finite real numbers in cam.*int64"),
    ],
)
def test_what_is_no_body_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(DataError, match=rf"frame.npz: expected .*({what})"):
        read_smpl(data, "frame.npz")


def test_a_file_that_swells_is_not_unpacked() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.npy", bytes(65 * 2**20))
    with pytest.raises(DataError, match="bytes"):
        read_smpl(content.getvalue(), "frame.npz")
