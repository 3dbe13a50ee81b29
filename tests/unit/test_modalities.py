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
def test_arrays_of_each_type_fit_and_those_of_others_do_not(name: str) -> None:
    modality = MODALITIES[name]
    shape = (7, *(size if isinstance(size, int) else 5 for size in modality.frame_shape))
    fitting = {
        each for each in np.sctypeDict.values() if modality.fits(np.dtype(each).name, shape)
    }
    reals = {np.float16, np.float32, np.float64}
    assert fitting == ({np.uint8} if modality.dtypes == ("uint8",) else reals)
    assert not modality.fits(modality.dtypes[0], shape[1:])
    assert not modality.fits(modality.dtypes[0], (*shape, 2))


def test_a_modality_says_what_it_expects() -> None:
    assert str(MODALITIES["skeleton_maps"]) == "skeleton_maps uint8 [frames, 2, h, w]"
