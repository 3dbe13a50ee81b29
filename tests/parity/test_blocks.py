"""Layers agree with the published implementation on the same tensors."""

from __future__ import annotations

import pytest

from gait.layers.horizontal_pooling import HorizontalPooling
from gait.layers.part_bn_neck import PartBNNeck
from gait.layers.part_linear import PartLinear
from tests.parity import goldens

CASES = goldens.cases("blocks")
PARTS = goldens.tensor(goldens.symmetric("public-v1|blocks|fcx", (3, 6, 4)))
WEIGHT = goldens.tensor(goldens.symmetric("public-v1|blocks|fcw", (4, 6, 5)))


@pytest.mark.parametrize("bins", [[16, 8, 4, 2, 1], [16], [1]])
def test_horizontal_pooling(bins: list[int]) -> None:
    maps = goldens.tensor(goldens.symmetric("public-v1|blocks|hpp", (2, 3, 16, 11)))
    golden = CASES[f"HorizontalPoolingPyramid bins {bins}"]
    goldens.assert_close(HorizontalPooling(bins)(maps), golden, 1e-5)


def test_part_linear() -> None:
    layer = PartLinear(4, 6, 5, normalise=True)
    layer.weight.data = WEIGHT
    goldens.assert_close(layer(PARTS), CASES["SeparateFCs norm=True"], 1e-5)


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("parallel", [True, False])
def test_bn_neck(cosine: bool, parallel: bool) -> None:
    # Published in two forms, over all parts at once or part by part: they are one function.
    neck = PartBNNeck(4, 6, 5, cosine=cosine).train()
    neck.classifier.weight.data = WEIGHT
    feature, logits = neck(PARTS)
    kind = f"norm={cosine} parallel={parallel}"
    expected = CASES[f"SeparateBNNecks feature, {kind}, train mode, affine at 1/0"]
    goldens.assert_close(feature, expected, 1e-4)
    goldens.assert_close(logits, CASES[f"SeparateBNNecks logits, {kind}"], 1e-4)
