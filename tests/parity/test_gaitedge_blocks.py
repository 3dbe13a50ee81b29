"""Walkers are aligned within the network as in the published implementation."""

from __future__ import annotations

from gait.layers.gait_align import gait_align
from tests.parity import goldens


def test_gait_align() -> None:
    _, masks = goldens.inputs("public-v1|blocks|align", ["rgb+sil", 128, 128], 3, 1)
    values = goldens.tensor(goldens.uniform("public-v1|blocks|alignf", (3, 1, 128, 128)))
    ratios = goldens.tensor(0.3 + 0.4 * goldens.uniform("public-v1|blocks|alignr", (3, 1)))
    aligned = gait_align(masks * values, masks, ratios.flatten())
    goldens.assert_close(aligned, goldens.cases("blocks")["GaitAlign H=64 W=44"], 1e-4)
