"""What self-supervised training is made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gait import registry
from gait.compat.converters import by_model
from gait.compat.foreign import Section
from gait.layers.views import two_views
from gait.losses.contrastive import Contrastive

BACKBONE = {
    "name": "ResNet9",
    "channels": [4, 4, 8, 8],
    "blocks": [1, 1, 1, 1],
    "strides": [1, 2, 2, 1],
}


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = registry.build("model", {"name": name, "backbone": BACKBONE})
    return model


def test_two_views_of_a_rectangular_and_of_a_packed_batch() -> None:
    frames = torch.rand(4, 3, 8, 8)
    first, second = two_views(frames, None)
    assert torch.equal(first[0], frames[[0, 2]]) and torch.equal(second[0], frames[[1, 3]])
    assert first[1] is second[1] is None
    packed = torch.rand(1, 10, 8, 8)
    first, second = two_views(packed, [1, 2, 3, 4])
    assert torch.equal(first[0], packed[:, [0, 3, 4, 5]]) and first[1] == [1, 3]
    assert torch.equal(second[0], packed[:, [1, 2, 6, 7, 8, 9]]) and second[1] == [2, 4]
    with pytest.raises(ValueError, match="got 3 views; draw them with BilateralSampler"):
        two_views(frames[:3], None)


def test_contrast_of_a_batch_is_that_of_its_rows() -> None:
    prediction, target = torch.rand(3, 5, 2), torch.rand(3, 5, 2).requires_grad_()
    result = Contrastive(scale=4, label_smoothing=0.2)(prediction, target, torch.zeros(3))
    values, right = [], []
    for part in range(2):
        for row in range(3):
            own = prediction[row, :, part].unsqueeze(0)
            logits = 4 * F.cosine_similarity(own, target[:, :, part].detach())
            spread = torch.full((3,), 0.2 / 3)
            spread[row] += 0.8
            values.append(-(spread * logits.log_softmax(0)).sum())
            right.append(float(logits.argmax() == row))
    torch.testing.assert_close(result.value, torch.stack(values).mean())
    assert result.terms["accuracy"].item() == pytest.approx(sum(right) / 6)
    assert not result.value.requires_grad, "targets are not to be pulled towards predictions"


def test_training_gives_both_directions_and_the_embeddings_of_all_rows() -> None:
    model = built("GaitSSBPretrain").train()
    frames = torch.rand(6, 2, 64, 44)
    output = model([frames])
    assert {each.shape for each in output.fields.values()} == {(3, 8, 31)}
    expected = F.normalize(output["prediction_2"], dim=1)
    torch.testing.assert_close(output.embeddings[1::2], expected)
    packed = built("GaitSSBPretrain").train()([frames.flatten(0, 1).unsqueeze(0)], [2] * 6)
    torch.testing.assert_close(packed.embeddings, output.embeddings)


def test_finetuning_starts_from_the_encoder_of_pretraining() -> None:
    pretrained, finetuned = built("GaitSSBPretrain"), built("GaitSSBFinetune")
    missing, unexpected = finetuned.load_state_dict(pretrained.state_dict(), strict=False)
    assert missing == ["head.weight"]
    assert all(each.startswith("predictor.") for each in unexpected)


def test_recipe_of_finetuning() -> None:
    model_cfg = {"backbone_lr": [0.0, 0.001, 0.002, 0.003], "projector_lr": 0.01}
    cfg: dict[str, Any] = {"model_cfg": model_cfg, "scheduler_cfg": {"milestones": [2000, 4000]}}
    recipe = by_model("GaitSSBFinetune").recipe(Section(cfg))
    assert recipe["parameters"] == [
        {"match": ["encoder.backbone.0.*", "encoder.backbone.1.*"], "frozen": True},
        {"match": "encoder.backbone.2.*", "lr": 0.001},
        {"match": "encoder.backbone.3.*", "lr": 0.002},
        {"match": "encoder.backbone.4.*", "lr": 0.003},
        {"match": "encoder.projector.*", "lr": 0.01},
    ]
    assert recipe["scheduler"] == {
        "name": "MultiStepFloor",
        "milestones": [2000, 4000],
        "gamma": 0.1,
        "floor": 1e-4,
        "every": 1000,
    }
