"""Layers of the convolutional silhouette models agree with the published implementation."""

from __future__ import annotations

from gait.layers.gem_pooling import GeMPooling
from tests.parity import goldens

CASES = goldens.cases("blocks")


def test_gem_pooling() -> None:
    maps = goldens.tensor(goldens.uniform("public-v1|blocks|gem", (2, 3, 64, 22)))
    golden = CASES["GeMHPP 64 bins, p=6.5, eps=1e-6"]
    goldens.assert_close(GeMPooling([64])(maps), golden, 1e-5)
