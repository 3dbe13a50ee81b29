"""Foreign models and their checkpoints: what is loaded, embedded and imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gait import registry
from gait.compat import opengait
from gait.compat.converters import converters
from gait.compat.foreign import ConversionWarning
from gait.config.yaml import read_yaml
from gait.errors import CheckpointError, ConfigError
from tests.unit.foreign import GAITSET, SMALL, SOFTMAX, TRIPLET, changed

MODELS = Path(__file__).parents[2] / "config" / "models"


def test_incomplete_model_settings_say_what_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"model_cfg\.SeparateBNNecks\.class_num: is missing"):
        opengait.build_model(
            changed(SMALL, "SeparateBNNecks", SMALL["SeparateFCs"] | {"in_channels": 6})
        )


def test_unused_model_settings_are_reported() -> None:
    with pytest.warns(ConversionWarning, match=r"model_cfg\.backbone_cfg\.depth: is not used"):
        opengait.build_model(changed(SMALL, "backbone_cfg.depth", 9))


@pytest.mark.parametrize("converter", converters(), ids=lambda each: each.model)
def test_every_tensor_has_one_foreign_name(converter: Any) -> None:
    models = [read_yaml(path)[0]["model"] for path in sorted(MODELS.glob("*.yaml"))]
    component = next(each for each in models if each["name"] == converter.model)
    sizes = {"num_classes": 3, "num_categories": 3, "num_joints": 17}
    model = registry.build("model", component, height_px=64, width_px=44, **sizes)
    state = opengait.state_dict(model)
    assert len(converter.regroup(state)) == len(model.state_dict())


def test_loading_lists_everything_that_does_not_fit_and_changes_nothing() -> None:
    model = opengait.build_model(SMALL)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: torch.ones_like(value) for name, value in opengait.state_dict(model).items()}
    del state["FCs.fc_bin"], state["BNNecks.bn1d.bias"]
    state["Backbone.extra"] = torch.zeros(1)
    state["BNNecks.fc_bin"] = torch.zeros(16, 6, 7)
    with pytest.raises(CheckpointError) as caught:
        opengait.load_state_dict(model, state)
    message = str(caught.value)
    assert "missing: FCs.fc_bin, BNNecks.bn1d.bias;" in message
    assert "unexpected: Backbone.extra;" in message
    assert "of another shape: BNNecks.fc_bin [16, 6, 7] instead of [16, 6, 5];" in message
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_checkpoint_with_a_training_state_is_unwrapped() -> None:
    torch.manual_seed(0)
    source, target = opengait.build_model(SMALL), opengait.build_model(SMALL)
    wrapped = {"model": opengait.state_dict(source), "optimizer": {}, "iteration": 5}
    opengait.load_state_dict(target, wrapped)
    inputs = [torch.rand(1, 5, 64, 44)]
    packed = opengait.embed(target, inputs, [3, 2])["embeddings"]
    assert packed.shape == (2, 6, 16)
    assert torch.equal(packed, opengait.embed(source, inputs, [3, 2])["embeddings"])
    alone = opengait.embed(source, [inputs[0][:, 3:]], None)["embeddings"]
    torch.testing.assert_close(packed[1:], alone)


def test_embedding_is_in_evaluation_mode_and_leaves_the_mode() -> None:
    model = opengait.build_model(SMALL).train()
    inputs = [torch.rand(2, 2, 64, 44)]
    before = model.backbone[0][1].running_mean.clone()
    opengait.embed(model, inputs, None)
    assert torch.equal(before, model.backbone[0][1].running_mean)
    assert model.training


def test_training_loss_is_the_weighted_sum() -> None:
    model = opengait.build_model(SMALL).train()
    inputs, labels = [torch.rand(4, 2, 64, 44)], torch.tensor([0, 0, 1, 1])
    total, terms = opengait.training_loss(model, [TRIPLET, SOFTMAX], inputs, labels)
    expected = terms["scalar/triplet/loss"].mean() + 0.5 * terms["scalar/softmax/loss"]
    torch.testing.assert_close(total.detach(), expected)
    assert "scalar/softmax/accuracy" in terms
    with pytest.raises(ConfigError, match=r"log_prefix: expected one of \['softmax', 'triplet'\]"):
        opengait.training_loss(model, TRIPLET | {"log_prefix": "bce"}, inputs, labels)


def test_import_of_a_checkpoint_file(tmp_path: Path) -> None:
    config, source = tmp_path / "gaitset.yaml", tmp_path / "GaitSet-40000.pt"
    config.write_text(yaml.safe_dump(changed(GAITSET, "data_cfg", {})))
    model = opengait.build_model(GAITSET["model_cfg"])
    state = {"model": opengait.state_dict(model), "optimizer": {"state": {}}, "iteration": 40000}
    torch.save(state, source)
    target = tmp_path / "model.pt"
    opengait.import_checkpoint(source, config, target)
    data = torch.load(target, weights_only=True)
    assert data["format"] == "gait-model-1"
    assert data["config"]["experiment"]["model"]["channels"] == [4, 8, 16]
    own = registry.build("model", data["config"]["experiment"]["model"])
    own.load_state_dict(data["model"])
    again = tmp_path / "again.pt"
    opengait.import_checkpoint(source, config, again)
    assert target.read_bytes() == again.read_bytes()


def test_import_of_a_checkpoint_of_another_model_names_the_file(tmp_path: Path) -> None:
    config, source = tmp_path / "gaitset.yaml", tmp_path / "Baseline.pt"
    config.write_text(yaml.safe_dump(changed(GAITSET, "data_cfg", {})))
    torch.save(opengait.state_dict(opengait.build_model(SMALL)), source)
    with pytest.raises(CheckpointError, match=r"Baseline\.pt: the weights do not fit GaitSet"):
        opengait.import_checkpoint(source, config, tmp_path / "model.pt")
    assert not (tmp_path / "model.pt").exists()
