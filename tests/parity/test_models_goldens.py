"""The same weights give the embeddings, losses and gradients of the published implementation.

Each golden in `goldens/` is tried, and needs nothing here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait.compat import opengait
from gait.compat.converters import by_model
from gait.engine.batch_norm import set_training
from gait.layers.sequences import joined_sequences
from tests.parity import goldens

# Relative tolerances of the norm of the whole gradient and of single tensors', where they are not
# 1e-3. These hang on ReLUs and maxima that are decided by rounding: double precision, one thread
# or two, and noise of 1e-6 in the inputs change them by about as much.
GRADIENT_TOLERANCES = {
    "DeepGaitV2__p3d_1441": (1e-3, 1e-2),
    "DenoisingGait__casiab": (1e-3, 3e-2),
    "FoundationGait_Finetune__0.03B": (1e-3, 5e-3),
    "FoundationGait_Pretrain__0.03B": (1e-3, 1e-2),
    "GLN__phase2": (1e-3, 5e-3),
    "GaitGraph1__coco128": (1e-3, 5e-2),
    "GaitGraph2__coco_large": (5e-3, 1e-1),
    "MultiGaitpp__2p3_1111": (1e-2, 2e-2),
    "ParsingGait__gait3d_parsing": (1e-3, 1e-2),
}
# Relative tolerances of the loss where they are not 1e-4. The published triplet loss holds each
# sample's distance to itself, which is rounding, another on each processor: taking it for zero
# changes these by 1.3e-4, 3.8e-4 and 1.9e-4.
LOSS_TOLERANCES = {
    "GaitPart__casiab": 3e-4,
    "GaitPart__oumvlp": 4e-4,
    "GaitSSB_Finetune__casiab": 3e-4,
}
NAMES = sorted(path.stem for path in goldens.FOLDER.glob("*__*.json"))
# Their gradients take half a minute each.
_LARGE = {"FoundationGait_Finetune__0.03B", "FoundationGait_Pretrain__0.03B"}
TRAINED = [
    pytest.param(name, marks=pytest.mark.slow) if name in _LARGE else name for name in NAMES
]


def built(golden: dict[str, Any]) -> nn.Module:
    # Some foreign models choose their size by the dataset, which the name of the case tells.
    dataset = golden["name"].split("__")[1].split("_")[0].upper()
    model = opengait.build_model(golden["model_cfg_used"], dataset)
    opengait.load_state_dict(model, goldens.weights(golden))
    return model


@cache
def read(name: str) -> dict[str, Any]:
    golden = goldens.read(name)
    golden["name"] = name
    return golden


def trained(name: str) -> dict[str, Any]:
    golden = read(name)
    if not golden.get("train"):
        pytest.skip("the golden has no training case")
    return golden


@pytest.mark.parametrize("name", NAMES)
def test_state_maps_strictly_both_ways(name: str) -> None:
    golden = read(name)
    model = built(golden)
    assert sum(each.numel() for each in model.parameters()) == golden["num_parameters_here"]
    returned = opengait.state_dict(model)
    is_aside = by_model(type(model).__name__).is_aside
    expected = {name: each for name, each in goldens.weights(golden).items() if not is_aside(name)}
    assert set(returned) == set(expected)
    assert all(torch.equal(returned[each], expected[each]) for each in expected)


@pytest.mark.parametrize("name", NAMES)
def test_embeddings(name: str) -> None:
    golden = read(name)
    case = golden["eval"]
    inputs = goldens.inputs(
        case["input_seed"], case["input_kind"], case["n"], case["frames_total"]
    )
    for given, expected in zip(inputs, case["inputs"], strict=True):
        goldens.assert_close(given, expected, 1e-6)
    lengths = case["seqL"][0] if case["seqL"] else None
    model = built(golden).eval()
    embedded = opengait.embed(model, inputs, lengths)
    converter = by_model(type(model).__name__)
    with torch.no_grad(), joined_sequences():
        output = model(
            converter.inputs(inputs, False), None if converter.one_sequence else lengths
        )
    for key, expected in case["outputs"].items():
        kind, *rest = key.split(".")
        if kind == "inference_feat":
            goldens.assert_close(embedded[rest[0]], expected, 1e-4)
        else:
            field = converter.fields[rest[0]][0]
            # Where there is one part, published fields may lack its axis.
            goldens.assert_close(output[field].reshape(expected["shape"]), expected, 1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_losses_and_gradients(name: str) -> None:
    golden = trained(name)
    case = golden["train"]
    kind = golden["eval"]["input_kind"]
    seeds = case["input_seed"] if isinstance(case["input_seed"], list) else [case["input_seed"]]
    drawn = [goldens.inputs(seed, kind, case["n"], case["frames_per_sequence"]) for seed in seeds]
    inputs = [torch.cat(each) for each in zip(*drawn, strict=True)]
    model = built(golden)
    set_training(model, "fixed" if "fix_BN" in case["mode"] else "local")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    labels = torch.tensor(case["labels"])
    names = sorted(set(case["types"]))
    categories = torch.tensor([names.index(each) for each in case["types"]])
    total, terms = opengait.training_loss(model, case["loss_cfg"], inputs, labels, categories)
    assert total.item() == pytest.approx(case["loss_sum"], rel=LOSS_TOLERANCES.get(name, 1e-4))
    for key, expected in case["losses"].items():
        if isinstance(expected, dict):
            # Each sample's distance to itself is rounding, and of any size up to 1e-3; a hinge is
            # a difference of distances.
            assert len(terms[key]) == expected["len"]
            found = terms[key][:8].tolist()
            assert found == pytest.approx(expected["values"], rel=1e-2, abs=1e-4)
            assert terms[key].mean().item() == pytest.approx(expected["mean"], rel=5e-4)
        else:
            of_term = 1e-3 if key.endswith("mean_dist") else 1e-4
            assert terms[key].item() == pytest.approx(expected, rel=of_term, abs=1e-7)
    total.backward()
    norms = [each.grad.double().norm() for each in model.parameters() if each.grad is not None]
    whole = torch.stack(norms).norm().item()
    of_all, of_each = GRADIENT_TOLERANCES.get(name, (1e-3, 1e-3))
    assert whole == pytest.approx(case["grad_l2_total"], rel=of_all)
    gradients = opengait.state_dict(_gradients(model))
    for key, expected in case["grad_l2"].items():
        # A bias before a normalisation has no gradient but rounding.
        found, rounding = gradients[key].double().norm().item(), 1e-6 * case["grad_l2_total"]
        assert found == pytest.approx(expected, rel=of_each, abs=rounding), key


def _gradients(model: nn.Module) -> nn.Module:
    """`model` with each parameter replaced by its gradient, to find them by foreign names."""
    for parameter in model.parameters():
        gradient: Tensor | None = parameter.grad
        parameter.data = torch.zeros_like(parameter) if gradient is None else gradient
    return model
