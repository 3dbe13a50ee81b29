from __future__ import annotations

import numpy as np
import pytest

from gait.modalities import MODALITIES


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "fits"),
    [
        ("silhouettes", "uint8", (5, 64, 44), True),
        ("silhouettes", "float32", (5, 64, 44), False),
        ("silhouettes", "uint8", (5, 1, 64, 44), False),
        ("pose", "float64", (5, 18, 3), True),
        ("pose", "float32", (5, 17, 2), False),
        ("pose", "object", (5, 17, 3), False),
        ("skeleton_maps", "uint8", (5, 2, 64, 64), True),
        ("skeleton_maps", "uint8", (5, 3, 64, 64), False),
        ("ratio", "float32", (5,), True),
        ("smpl", "float32", (5, 85), True),
        ("points", "float32", (5, 0, 3), False),
    ],
)
def test_arrays_are_told_by_type_and_shape(
    name: str, dtype: str, shape: tuple[int, ...], fits: bool
) -> None:
    assert MODALITIES[name].fits(dtype, shape) is fits


@pytest.mark.parametrize("name", MODALITIES)
def test_each_is_named_as_it_is_found_and_admits_real_types(name: str) -> None:
    assert MODALITIES[name].name == name
    assert all(np.dtype(each).kind in "uf" for each in MODALITIES[name].dtypes)


def test_a_modality_says_what_it_expects() -> None:
    assert str(MODALITIES["skeleton_maps"]) == "skeleton_maps uint8 [frames, 2, h, w]"
