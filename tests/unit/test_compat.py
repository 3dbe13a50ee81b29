"""Foreign configurations and checkpoints."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gait import registry
from gait.compat import opengait
from gait.compat.converters import converters
from gait.compat.experiments import DEFAULTS
from gait.compat.foreign import ConversionWarning
from gait.compat.names import fit
from gait.config.experiment import Experiment
from gait.config.yaml import read_yaml
from gait.errors import CheckpointError, ConfigError

MODELS = Path(__file__).parents[2] / "config" / "models"

SMALL = {
    "model": "Baseline",
    "backbone_cfg": {
        "type": "ResNet9",
        "block": "BasicBlock",
        "channels": [4, 8, 8, 16],
        "layers": [1, 1, 1, 1],
        "strides": [1, 2, 2, 1],
        "maxpool": False,
    },
    "SeparateFCs": {"in_channels": 16, "out_channels": 6, "parts_num": 16},
    "SeparateBNNecks": {"class_num": 5, "in_channels": 6, "parts_num": 16},
    "bin_num": [16],
}
TRIPLET = {
    "type": "TripletLoss",
    "margin": 0.2,
    "loss_term_weight": 1.0,
    "log_prefix": "triplet",
}
SOFTMAX = {
    "type": "CrossEntropyLoss",
    "scale": 16,
    "loss_term_weight": 0.5,
    "log_prefix": "softmax",
    "log_accuracy": True,
}
GAITSET = {
    "data_cfg": {
        "dataset_name": "CASIA-B",
        "dataset_root": "somewhere",
        "num_workers": 1,
        "remove_no_gallery": False,
    },
    "loss_cfg": {"loss_term_weight": 1.0, "margin": 0.3, "log_prefix": "triplet"},
    "model_cfg": {
        "model": "GaitSet",
        "in_channels": [1, 4, 8, 16],
        "SeparateFCs": {"in_channels": 16, "out_channels": 6, "parts_num": 62},
        "bin_num": [16, 8, 4, 2, 1],
    },
    "scheduler_cfg": {"milestones": [10000, 20000, 30000]},
    "trainer_cfg": {"total_iter": 40000, "save_name": "GaitSet", "log_iter": 50},
}
GAITBASE = {
    "data_cfg": {"dataset_name": "Gait3D", "data_in_use": [True, False]},
    "evaluator_cfg": {
        "enable_float16": True,
        "metric": "cos",
        "eval_func": "evaluate_Gait3D",
        "sampler": {"batch_shuffle": False, "batch_size": 16, "frames_all_limit": 500},
        "transform": [{"type": "BaseSilTransform"}],
    },
    "loss_cfg": [TRIPLET, SOFTMAX],
    "model_cfg": SMALL,
    "optimizer_cfg": {"solver": "Adam", "lr": 0.001, "amsgrad": True, "fused": True},
    "scheduler_cfg": {"scheduler": "OneCycleLR", "max_lr": 0.01, "total_steps": 60000},
    "trainer_cfg": {
        "fix_BN": False,
        "sync_BN": True,
        "with_test": True,
        "save_iter": 20000,
        "total_iter": 60000,
        "sampler": {
            "batch_shuffle": True,
            "batch_size": [32, 4],
            "frames_num_fixed": 30,
            "frames_num_max": 50,
            "frames_num_min": 10,
            "sample_type": "unfixed_unordered",
        },
        "transform": [
            {
                "type": "Compose",
                "trf_cfg": [
                    {"type": "RandomPerspective", "prob": 0.2},
                    {"type": "BaseSilCuttingTransform", "img_w": 64},
                    {"type": "RandomHorizontalFlip", "prob": 0.2},
                    {"type": "RandomRotate", "prob": 0.3, "degree": 5},
                    {"type": "RandomErasing", "prob": 0.4, "sl": 0.1, "r1": 0.5},
                ],
            }
        ],
    },
}


def changed(cfg: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `cfg` with the value at a dotted path replaced."""
    cfg = copy.deepcopy(cfg)
    *above, last = path.split(".")
    inner = cfg
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return cfg


def converted(cfg: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        experiment = opengait.convert_config(cfg)
    return experiment, [str(each.message) for each in caught]


def test_gaitset_config_with_the_defaults_of_the_framework() -> None:
    experiment, said = converted(GAITSET)
    assert experiment["model"] == {
        "name": "GaitSet",
        "channels": [4, 8, 16],
        "embedding_channels": 6,
        "bins": [16, 8, 4, 2, 1],
    }
    assert experiment["iterations"] == 40000
    assert experiment["losses"] == {"triplet": {"name": "Triplet", "margin": 0.3, "weight": 1.0}}
    assert experiment["optimizer"] == {
        "name": "SGD",
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.0005,
    }
    milestones = [10000, 20000, 30000]
    assert experiment["scheduler"] == {
        "name": "MultiStepLR",
        "milestones": milestones,
        "gamma": 0.1,
    }
    assert experiment["sampler"] == {"name": "TripletSampler", "subjects": 8, "sequences": 16}
    assert experiment["frames"] == {"number": "fixed", "order": "unordered", "count": 30}
    assert experiment["transforms"] == [{"name": "CropSides"}]
    assert (experiment["precision"], experiment["batch_norm"]) == ("fp16", "local")
    assert experiment["logging"] == {"log_every": 50, "checkpoint_every": 2000}
    assert experiment["embedding"]["frames_limit"] is None
    assert experiment["evaluation"] == {"distance": "euclidean"}
    assert said == ["data_cfg.remove_no_gallery: has no effect in OpenGait"]


def test_gaitbase_config_with_everything_changed() -> None:
    experiment, said = converted(GAITBASE)
    assert experiment["model"]["backbone"] == {
        "name": "ResNet9",
        "channels": [4, 8, 8, 16],
        "blocks": [1, 1, 1, 1],
        "strides": [1, 2, 2, 1],
    }
    assert experiment["losses"]["softmax"] == {
        "name": "CrossEntropy",
        "scale": 16,
        "label_smoothing": 0.1,
        "weight": 0.5,
    }
    # Momentum and gamma come from the framework's defaults and mean nothing to these two.
    assert experiment["optimizer"] == {
        "name": "Adam",
        "lr": 0.001,
        "weight_decay": 0.0005,
        "amsgrad": True,
    }
    assert experiment["scheduler"] == {"name": "OneCycleLR", "max_lr": 0.01, "total_steps": 60000}
    assert experiment["frames"] == {
        "number": "unfixed",
        "order": "unordered",
        "count_range": [10, 50],
    }
    assert experiment["transforms"] == [
        {"name": "RandomPerspective", "probability": 0.2},
        {"name": "CropSides"},
        {"name": "RandomHorizontalFlip", "probability": 0.2},
        {"name": "RandomRotate", "probability": 0.3, "degrees": 5},
        {"name": "RandomErasing", "probability": 0.4, "min_area": 0.1, "ratio": 0.5},
    ]
    assert experiment["batch_norm"] == "synchronised"
    assert experiment["logging"]["evaluate_every"] == 20000
    assert experiment["embedding"] == {
        "transforms": [],
        "frames_limit": 500,
        "precision": "fp16",
    }
    assert experiment["evaluation"] == {"distance": "cosine"}
    assert sorted(each.split(":")[0] for each in said) == [
        "evaluator_cfg.sampler.batch_shuffle",
        "optimizer_cfg.fused",
        "trainer_cfg.sampler.frames_num_fixed",
        "trainer_cfg.transform.0.trf_cfg.1.img_w",
    ]


@pytest.mark.parametrize("cfg", [GAITSET, GAITBASE])
def test_a_converted_config_is_an_experiment_that_can_be_built(cfg: dict[str, Any]) -> None:
    experiment, _ = converted(cfg)
    valid = Experiment.model_validate(experiment)
    problems = [
        *registry.check("model", valid.model.settings),
        *registry.check("optimizer", valid.optimizer.settings),
        *registry.check("scheduler", valid.scheduler.settings),
        *registry.check("sampler", valid.sampler.settings),
    ]
    problems += [
        p for each in valid.losses.values() for p in registry.check("loss", each.settings)
    ]
    for each in [*valid.transforms, *valid.embedding.transforms]:
        problems += registry.check("transform", each.settings)
    assert problems == []


def test_ordered_frames_and_a_checkpoint_to_start_from() -> None:
    sampler = {"sample_type": "fixed_ordered", "frames_skip_num": 4, "frames_num_fixed": 20}
    cfg = changed(GAITSET, "trainer_cfg.sampler", sampler)
    cfg["trainer_cfg"] |= {"restore_hint": "old.pt", "scheduler_reset": True, "fix_BN": True}
    experiment, _ = converted(cfg)
    assert experiment["frames"] == {
        "number": "fixed",
        "order": "ordered",
        "skip": 4,
        "count": 20,
    }
    assert experiment["init"] == {
        "weights": "old.pt",
        "strict": True,
        "reset": ["scheduler", "iteration"],
    }
    assert experiment["batch_norm"] == "fixed"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model_cfg.model", "GaitSett", "did you mean 'GaitSet'.*supported: Baseline, .*GaitSet"),
        ("model_cfg.SeparateFCs.parts_num", 31, r"SeparateFCs\.parts_num: expected 62, got 31"),
        ("model_cfg.SeparateFCs.norm", True, r"SeparateFCs\.norm: expected False, got True"),
        ("loss_cfg.type", "FocalLoss", r"loss_cfg\.type: 'FocalLoss' is no loss"),
        ("loss_cfg.log_prefix", "other", "GaitSet needs a loss with log_prefix 'triplet'"),
        ("trainer_cfg.sampler.type", "Bilateral", r"sampler\.type: expected 'TripletSampler'"),
        ("trainer_cfg.sampler.sample_type", "some_ordered", "expected fixed, unfixed or all"),
        ("trainer_cfg.sampler.sample_type", "fixed_ordered", "frames_skip_num: is missing"),
        ("trainer_cfg.transform", [{"type": "BaseSilTransfrom"}], "did you mean 'BaseSil"),
        ("trainer_cfg.transform", [{"type": "BaseSilTransform"}] * 2, "expected 1 entries"),
        ("trainer_cfg.total_iter", -1, "iterations: .*greater than or equal to 0, got -1"),
        ("evaluator_cfg.metric", "dot", r"evaluator_cfg\.metric: expected 'euc' or 'cos'"),
        ("evaluator_cfg.sampler", {"sample_type": "unfixed_unordered"}, "or a fixed number"),
        ("optimizer_cfg.solver", "SDG", "no optimizer is named 'SDG'; did you mean 'SGD'"),
    ],
)
def test_what_cannot_be_converted_says_why(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        opengait.convert_config(changed(GAITSET, path, value))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value of a configuration, its mappings and lists among them."""
    keys: Any = (
        value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    )
    for key in keys:
        yield (*path, key)
        yield from _places(value[key], (*path, key))


@pytest.mark.filterwarnings("ignore::gait.compat.foreign.ConversionWarning")
@pytest.mark.parametrize("sound", [GAITSET, GAITBASE, DEFAULTS], ids=["GaitSet", "GaitBase", "-"])
@pytest.mark.parametrize(
    "wrong", [None, 7, -1, 10**40, 0.5, "1./", "", True, [], [[]], [None], {}, {"a": []}], ids=repr
)
def test_a_value_of_a_wrong_type_is_refused_wherever_it_stands(
    sound: dict[str, Any], wrong: Any
) -> None:
    for *above, last in _places(sound):
        cfg = copy.deepcopy({**DEFAULTS, **sound})
        inner: Any = cfg
        for key in above:
            inner = inner[key]
        inner[last] = wrong
        with suppress(ConfigError):
            opengait.convert_config(cfg)


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


def test_import_of_a_config_file(tmp_path: Path) -> None:
    source = tmp_path / "gaitbase.yaml"
    source.write_text(yaml.safe_dump(GAITBASE))
    with pytest.warns(ConversionWarning):
        text = opengait.import_config(source)
    assert text.startswith("# Converted from OpenGait's gaitbase.yaml; put it into config/exper")
    assert "#   optimizer_cfg.fused: has no effect in OpenGait" in text
    assert "#   evaluator_cfg.eval_func: protocols are in" in text
    (tmp_path / "ours.yaml").write_text(text)
    assert read_yaml(tmp_path / "ours.yaml")[0] == converted(GAITBASE)[0]


@pytest.mark.parametrize(
    "cfg", [{}, {"model_cfg": {"model": "Baseline"}}, {**GAITBASE, "model_cfg": None}]
)
def test_a_file_of_defaults_is_no_experiment(tmp_path: Path, cfg: dict[str, Any]) -> None:
    source = tmp_path / "default.yaml"
    source.write_text(yaml.safe_dump(cfg))
    with pytest.raises(ConfigError, match=r"default\.yaml: is no experiment"):
        opengait.import_config(source)


def test_what_cannot_be_converted_is_told_with_its_file(tmp_path: Path) -> None:
    source = tmp_path / "wrong.yaml"
    source.write_text(yaml.safe_dump(changed(GAITSET, "loss_cfg.type", "FocalLoss")))
    with pytest.raises(ConfigError, match=r"wrong\.yaml: loss_cfg\.type: 'FocalLoss' is no loss"):
        opengait.import_config(source)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a b", "a-b"), ("../x", "x"), ("_x", "x"), ("***", "imported"), ("a@1", "a-1")],
)
def test_names_that_no_output_can_have_become_such(name: str, expected: str) -> None:
    assert fit(name) == expected


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
