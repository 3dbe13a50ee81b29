"""Foreign configurations: what is converted, what is refused, and what is said of it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from gait import registry
from gait.compat import opengait
from gait.compat.experiments import DEFAULTS
from gait.compat.foreign import ConversionWarning
from gait.compat.names import fit
from gait.config.experiment import Experiment
from gait.config.yaml import read_yaml
from gait.errors import ConfigError
from tests.unit.foreign import GAITBASE, GAITSET, changed


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
