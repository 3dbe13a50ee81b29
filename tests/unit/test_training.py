"""Every model of `config/models`, small, through the real trainer by its own recipe."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import torch

from gait.engine.embed import embed
from gait.engine.history import read_history
from gait.engine.state.weights import read_model
from gait.engine.trainer import train
from tests.populations import NAMES, built, resolved, write_population

LEARNING = [name for name in NAMES if name != "GEI"]
# Parameters that published architectures have and never use, so that published weights fit; and
# biases before a normalisation, whose gradient is rounding, if not zero.
STILL = {
    "GaitGraph1": ("*.edge", "*.bias"),
    "GaitGraph2": ("*.edge", "*.bias"),
    "GaitTR": ("*.bias",),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("populations")


def packed_of(name: str, root: Path) -> Path:
    packed = root / name / "packed"
    if not packed.exists():
        write_population(packed, name)
    return packed


@pytest.mark.parametrize("name", LEARNING)
def test_two_steps_move_what_learns_and_resume_exactly(
    name: str, root: Path, tmp_path: Path
) -> None:
    packed = packed_of(name, root)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    experiment = resolved(name)
    train(experiment, packed, whole, whole / "model.pt")
    lines = read_history(whole / "history.jsonl")
    assert [line["iteration"] for line in lines] == [1, 2]
    assert all(math.isfinite(line["loss"]) for line in lines)

    after = read_model(whole / "model.pt")
    model = built(name, after.sizes)
    frozen = [
        pattern
        for group in experiment.experiment.parameters
        for pattern in group.patterns
        if group.frozen or group.lr == 0
    ]
    moving = {
        key
        for key, each in model.named_parameters()
        if each.requires_grad and not any(fnmatchcase(key, pattern) for pattern in frozen)
    }
    before = {key: each.clone() for key, each in model.state_dict().items()}
    still = {key for key in moving if torch.equal(before[key], after.model[key])}
    excused = STILL.get(name, ())
    assert {key for key in still if not any(fnmatchcase(key, each) for each in excused)} == set()
    unmoved = {key for key, _ in model.named_parameters()} - moving
    followed = experiment.experiment.ema
    following = {
        key for key in unmoved if followed is not None and key.startswith(f"{followed.target}.")
    }
    assert bool(following) == (followed is not None)
    for key in unmoved - following:
        assert torch.equal(before[key], after.model[key]), key
    for key in following:
        # Of what does not learn, there is nothing to follow.
        source = f"{followed.source}.{key.removeprefix(f'{followed.target}.')}"
        assert torch.equal(before[key], after.model[key]) == torch.equal(
            before[key], after.model[source]
        ), key

    train(resolved(name, iterations=1), packed, cut, cut / "model.pt")
    train(experiment, packed, cut, cut / "model.pt")
    assert (cut / "model.pt").read_bytes() == (whole / "model.pt").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_do_not_depend_on_the_batch_and_survive_a_file(
    name: str, root: Path, tmp_path: Path
) -> None:
    packed = packed_of(name, root)
    train(resolved(name, iterations=0), packed, tmp_path, tmp_path / "model.pt")

    def embedded(file: str, budget: int) -> np.ndarray:
        settings = resolved(name).experiment.embedding.model_dump()
        experiment = resolved(name, embedding={**settings, "frames_per_batch": budget})
        embed(experiment, packed, tmp_path / "model.pt", tmp_path / file)
        with np.load(tmp_path / file) as stored:
            return np.array(stored["embeddings"])

    one_by_one, batched = embedded("one.npz", 1), embedded("batched.npz", 1000)
    np.testing.assert_allclose(batched, one_by_one, rtol=1e-4, atol=1e-5)
    embedded("again.npz", 1000)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "batched.npz").read_bytes()
