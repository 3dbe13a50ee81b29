"""The number of processes changes speed, never results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gait.config.resolved import Resolved
from gait.engine.embed import embed
from gait.engine.history import read_history
from gait.engine.state.weights import read_model
from gait.engine.trainer import train
from tests.engine_fixtures import resolved, run, write_config, write_store

# Rates at which rounding is not amplified beyond the tolerance: the maxima in these models pass
# their gradient on to another place when two values change order, be it by the last bit.
STEADY: dict[str, Any] = {
    "iterations": 20,
    "scheduler": {"name": "MultiStepLR", "milestones": [10], "gamma": 0.5},
    "logging": {"log_every": 1},
}
EXPERIMENTS = {
    "GaitSet": resolved("GaitSet", **STEADY, optimizer=dict(name="SGD", lr=1e-3, momentum=0.9)),
    "GaitBase": resolved("GaitBase", **STEADY, optimizer=dict(name="SGD", lr=1e-6, momentum=0.9)),
}
# One step of full length shows the gradient itself.
STEP = {"iterations": 1, "optimizer": {"name": "SGD", "lr": 0.05}}
STEPS = {
    "step": resolved("GaitBase", **STEP),
    # Six sequences on four processes: slices of one and two.
    "packed": resolved(
        "GaitBase",
        **STEP,
        sampler={"name": "TripletSampler", "subjects": 3, "sequences": 2},
        frames={"number": "unfixed", "count_range": [2, 4]},
    ),
    # A part of the model that no loss reaches.
    "untouched": resolved(
        "GaitBase", **STEP, losses={"triplet": {"name": "Triplet", "weight": 2.0}}
    ),
}
ALL: dict[str, Resolved] = {**EXPERIMENTS, **STEPS}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every experiment trained and embedded by one process and by two: <name>-<number>."""
    root = tmp_path_factory.mktemp("world")
    packed = root / "packed"
    write_store(packed)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, experiment in ALL.items():
        folder = root / f"{name}-1"
        train(experiment, packed, folder, folder / "model.pt")
        embed(experiment, packed, folder / "model.pt", folder / "embeddings.npz")
    torch.set_num_threads(threads)
    _run(root, 2, list(ALL))
    return root


@pytest.fixture(scope="module")
def of_four(results: Path) -> Path:
    """The same with what four processes make of single steps."""
    _run(results, 4, list(STEPS))
    return results


def _run(root: Path, processes: int, names: list[str]) -> None:
    folders = {name: root / f"{name}-{processes}" for name in names}
    for name, folder in folders.items():
        write_config(ALL[name], folder)
    jobs = [(what, folder) for folder in folders.values() for what in ("train", "embed")]
    printed = run(jobs, root / "packed", processes, workers=1)
    assert f"{processes} processes, gloo, cpu" in printed


MANY = [(2, "results"), pytest.param(4, "of_four", marks=pytest.mark.slow)]


@pytest.mark.parametrize("model", list(EXPERIMENTS))
def test_losses_of_two_processes_are_those_of_one(model: str, results: Path) -> None:
    one, two = (read_history(results / f"{model}-{n}" / "history.jsonl") for n in (1, 2))
    assert [line["iteration"] for line in one] == list(range(1, 21))
    for left, right in zip(one, two, strict=True):
        assert left["losses"] == pytest.approx(right["losses"], rel=1e-5), left["iteration"]
    assert one[0]["losses"] != one[-1]["losses"]


@pytest.mark.parametrize("name", list(STEPS))
@pytest.mark.parametrize(("processes", "made"), MANY)
def test_one_step_of_many_processes_is_that_of_one(
    name: str, processes: int, made: str, request: pytest.FixtureRequest
) -> None:
    results: Path = request.getfixturevalue(made)
    one, many = (read_model(results / f"{name}-{n}" / "model.pt").model for n in (1, processes))
    start = _initial(ALL[name], results)
    for key, value in one.items():
        moved = (value.double() - start[key].double()).abs().max()
        difference = (value.double() - many[key].double()).abs().max()
        assert difference <= 1e-3 * moved + 1e-6, key
    assert any((one[key] != start[key]).any() for key in one)


@pytest.mark.parametrize(("processes", "made"), MANY)
def test_embeddings_do_not_depend_on_the_processes(
    processes: int, made: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The same weights, embedded here by one process, give the same bytes."""
    results: Path = request.getfixturevalue(made)
    folder = results / f"step-{processes}"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    embed(STEPS["step"], results / "packed", folder / "model.pt", tmp_path / "one.npz")
    torch.set_num_threads(threads)
    assert (folder / "embeddings.npz").read_bytes() == (tmp_path / "one.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as archive:
        assert len(archive["embeddings"]) == 18


def _initial(experiment: Resolved, results: Path) -> dict[str, torch.Tensor]:
    folder = results / "initial"
    start = experiment.model_copy(
        update={"experiment": experiment.experiment.model_copy(update={"iterations": 0})}
    )
    train(start, results / "packed", folder, folder / "model.pt")
    return read_model(folder / "model.pt").model
