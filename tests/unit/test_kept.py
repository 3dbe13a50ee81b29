"""Silhouettes that are held compressed are what they were."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from gait.prepare.sequences.kept import Kept


def test_what_is_held_comes_back_as_it_was() -> None:
    silhouettes = np.random.default_rng(0).integers(0, 256, (3, 7, 9), np.uint8)
    silhouettes[1] = 0
    silhouettes[2, :3] = silhouettes[2, :, 5:] = 0
    kept = Kept()
    for key, silhouette in zip("abc", silhouettes, strict=True):
        kept.add(key, silhouette)
    assert list(kept) == ["a", "b", "c"] and len(kept) == 3
    for key, silhouette in zip("abc", silhouettes, strict=True):
        np.testing.assert_array_equal(kept[key], silhouette)
    with pytest.raises(KeyError):
        kept["d"]


def test_large_silhouettes_take_little_memory() -> None:
    kept = Kept()
    tracemalloc.start()
    for number in range(50):
        silhouette = np.zeros((1080, 1920), np.uint8)
        silhouette[100:900, 800:1100] = 255
        kept.add(str(number), silhouette)
        del silhouette
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 10**6
