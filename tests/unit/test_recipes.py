"""What recipes do beyond one optimiser for all: groups, averages, schedules, staged starts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gait import registry
from gait.config.experiment import MovingAverage, ParameterGroup
from gait.engine.embed import embed
from gait.engine.groups import freeze, parameter_groups
from gait.engine.moving_average import ExponentialMovingAverage
from gait.engine.state.files import save_torch
from gait.engine.state.weights import read_model, start
from gait.engine.trainer import train
from gait.errors import CheckpointError, ConfigError
from tests.engine_fixtures import resolved, write_store

GROUPS = [
    {"match": "head.*", "lr": 0.5, "weight_decay": 0.0},
    {"match": ["body.0.*"], "frozen": True},
    {"match": "body.*", "lr_scale": 0.1},
]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store") / "packed"
    write_store(folder)
    return folder


def network() -> nn.Module:
    return nn.ModuleDict(
        {
            "body": nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)),
            "head": nn.Linear(4, 2),
            "rest": nn.Linear(2, 1),
        }
    )


def groups(*listed: dict[str, Any]) -> list[ParameterGroup]:
    return [ParameterGroup.model_validate(each) for each in listed]


def test_the_first_group_that_matches_counts() -> None:
    model = network()
    listed = groups(*GROUPS)
    freeze(model, listed)
    found = parameter_groups(model, nn.ModuleList(), listed, lr=0.2)
    assert [{key: each[key] for key in each if key != "params"} for each in found] == [
        {},
        {"lr": 0.5, "weight_decay": 0.0},
        {"lr": pytest.approx(0.02)},
    ]
    names = {id(each): name for name, each in model.named_parameters()}
    assert [[names[id(each)] for each in group["params"]] for group in found] == [
        ["rest.weight", "rest.bias"],
        ["head.weight", "head.bias"],
        ["body.1.weight", "body.1.bias"],
    ]


def test_a_pattern_that_matches_nothing_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'heads\.weight' matches no.*'head\.weight'"):
        freeze(network(), groups({"match": "heads.weight", "frozen": True}))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"match": "a", "lr": 1.0, "lr_scale": 1.0}, "lr or lr_scale"),
        ({"match": "a", "lr": 1.0, "frozen": True}, "a frozen group takes no lr"),
    ],
)
def test_groups_that_contradict_themselves(group: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        groups(group)


def test_frozen_parameters_stay_and_groups_learn_at_their_own_rate(
    packed: Path, tmp_path: Path
) -> None:
    def trained(iterations: int, *listed: dict[str, Any]) -> dict[str, torch.Tensor]:
        root = tmp_path / f"{iterations}-{len(listed)}"
        experiment = resolved(iterations=iterations, parameters=list(listed))
        train(experiment, packed, root, root / "model.pt")
        return read_model(root / "model.pt").model

    before = trained(0)
    after = trained(
        2,
        {"match": "frame_blocks.0.*", "frozen": True},
        {"match": "part_linear.*", "lr": 0.0, "weight_decay": 0.0},
    )
    for name, value in before.items():
        still = name.startswith(("frame_blocks.0.", "part_linear."))
        assert torch.equal(after[name], value) == still, name


def test_the_average_follows_along_a_cosine() -> None:
    model = nn.ModuleDict({"student": nn.Linear(2, 2), "teacher": nn.Linear(2, 2)})
    moving_average = ExponentialMovingAverage(
        model, MovingAverage(source="student", target="teacher", momentum=0.8), iterations=10
    )
    expected = model["teacher"].weight.detach().clone()
    student = model["student"].weight.detach()
    for iteration in range(10):
        momentum = 1 - 0.2 * (math.cos(math.pi * iteration / 10) + 1) / 2
        expected = momentum * expected + (1 - momentum) * student
        moving_average.update(iteration)
        torch.testing.assert_close(model["teacher"].weight.detach(), expected)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [("pupil", "teacher", "has no part 'pupil'"), ("other", "teacher", "different parameters")],
)
def test_an_average_needs_two_of_a_kind(source: str, target: str, message: str) -> None:
    model = nn.ModuleDict({"other": nn.Linear(3, 2), "teacher": nn.Linear(2, 2)})
    with pytest.raises(ConfigError, match=message):
        ExponentialMovingAverage(model, MovingAverage(source=source, target=target), 10)


def rates(scheduler: dict[str, Any], *lrs: float, steps: int) -> list[list[float]]:
    optimizer = torch.optim.SGD(
        [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs], lr=1.0
    )
    schedule = registry.build("scheduler", scheduler, optimizer=optimizer)
    found = []
    for _ in range(steps):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return found


def test_a_cosine_holds_and_ends_on_its_floor() -> None:
    # The values that the published rule gives for 3e-4 and 10,000 iterations, in thousandths.
    golden = json.loads(
        (Path(__file__).parents[1] / "parity/goldens/blocks.json").read_text(encoding="utf-8")
    )
    (case,) = [each for each in golden["cases"] if "adjust_learning_rate" in each["name"]]
    settings = {"name": "CosineFloor", "t_max": 10000, "floor": 1e-6, "every": 1000}
    found = rates(settings, 3e-4, steps=20001)
    for iteration, expected in case["values"]:
        assert found[iteration][0] == pytest.approx(expected, rel=1e-9)


def test_a_cosine_moves_at_each_iteration_unless_told_otherwise() -> None:
    found = rates({"name": "CosineFloor", "t_max": 4, "floor": 0.1}, 1.0, steps=5)
    half = math.sqrt(0.5) / 2
    assert [each[0] for each in found] == pytest.approx([1, 0.5 + half, 0.5, 0.5 - half, 0.1])


def test_steps_end_on_their_floor_and_zero_stays() -> None:
    settings = {"name": "MultiStepFloor", "milestones": [2, 4], "gamma": 0.1, "floor": 0.02}
    found = rates(settings, 1.0, 0.01, 0.0, steps=6)
    assert [each[0] for each in found] == pytest.approx([1, 1, 0.1, 0.1, 0.02, 0.02])
    assert {each[1] for each in found} == {0.02} and {each[2] for each in found} == {0.0}


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduler": {"name": "CosineFloor", "t_max": 4, "floor": 1e-3}},
        {"scheduler": {"name": "MultiStepFloor", "milestones": [2], "floor": 1e-3, "every": 2}},
        {"parameters": [{"match": "part_linear.*", "lr": 0.01}]},
    ],
    ids=["cosine", "steps", "groups"],
)
def test_resuming_is_exact(changes: dict[str, Any], packed: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(resolved(**changes), packed, whole, whole / "model.pt")
    train(resolved(iterations=2, **changes), packed, cut, cut / "model.pt")
    train(resolved(**changes), packed, cut, cut / "model.pt")
    expected, found = (read_model(root / "model.pt").model for root in (whole, cut))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_training_starts_from_another_experiment(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = Path("results/Tiny/GaitSet/test")
    train(resolved(), packed, first, first / "model.pt")
    train(
        resolved(iterations=0, seed=9, init_from="Tiny/GaitSet/test"),
        packed,
        tmp_path / "second",
        tmp_path / "second/model.pt",
    )
    expected, found = (
        read_model(root / "model.pt").model for root in (first, tmp_path / "second")
    )
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_part_becomes_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("results/A/B/c/model.pt")
    path.parent.mkdir(parents=True)
    state = {"old.weight": torch.ones(1, 2), "old.bias": torch.ones(1), "more": torch.ones(1)}
    save_torch({"format": "gait-model-1", "model": state}, path)
    model = network()

    def started(**init: Any) -> list[str]:
        return start(model, resolved(init_from={"experiment": "A/B/c", **init}).experiment)[1]

    assert started(part="old", into="rest", strict=True) == []
    assert torch.equal(model.get_parameter("rest.weight"), torch.ones(1, 2))
    with pytest.raises(CheckpointError, match=r"none of its tensors below old fits.*below head"):
        started(part="old", into="head")
    state["rest.weight"] = torch.zeros(1, 2)
    save_torch({"format": "gait-model-1", "model": state}, path)
    (said,) = started()
    assert said.endswith("not used: old.weight, old.bias, more")
    assert not model.get_parameter("rest.weight").any()
    with pytest.raises(CheckpointError, match=r"old\.weight.*init_from\.strict: false"):
        started(strict=True)


def test_given_weights_are_embedded_with_as_they_are(packed: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(resolved(), packed, first, first / "model.pt")
    experiment = resolved(weights=str(first / "model.pt"), seed=5)
    train(experiment, packed, second, second / "model.pt")
    expected, found = (read_model(root / "model.pt") for root in (first, second))
    assert all(torch.equal(found.model[name], each) for name, each in expected.model.items())
    assert found.provenance["given"] == "model.pt"
    embed(experiment, packed, second / "model.pt", second / "embeddings.npz")
    with pytest.raises(CheckpointError, match="trained for another model"):
        train(
            resolved("GaitBase", weights=str(first / "model.pt")),
            packed,
            second,
            second / "model.pt",
        )


def test_only_one_start_may_be_given() -> None:
    with pytest.raises(ValueError, match="weights and init_from exclude each other"):
        resolved(weights="w.pt", init_from="A/B/c")
