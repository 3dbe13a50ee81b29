"""Each setting of training changes what is trained, and by how much."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gait.config.experiment import Loss
from gait.config.resolved import Resolved
from gait.engine import embed as embedding
from gait.engine import precision, step
from gait.engine.embed import embed
from gait.engine.history import read_history
from gait.engine.state.weights import read_model
from gait.engine.step import TrainingStep
from gait.engine.trainer import train
from tests.engine_fixtures import resolved, write_store

# One step of plain descent, so that a move is the gradient times the rate.
PLAIN: dict[str, Any] = {
    "iterations": 1,
    "optimizer": {"name": "SGD", "lr": 1.0},
    "scheduler": {"name": "MultiStepLR", "milestones": [1000]},
}
TRIPLET = {"name": "Triplet", "margin": 0.2}
SOFTMAX = {"name": "CrossEntropy", "scale": 16, "label_smoothing": 0.1}
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "packed"
    write_store(path)
    return path


@pytest.fixture
def all_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every precision is computed in as it is asked for."""
    monkeypatch.setattr(precision, "_pays", lambda *_: True)


def trained(experiment: Resolved, packed: Path, root: Path) -> Weights:
    train(experiment, packed, root, root / "model.pt")
    return read_model(root / "model.pt").model


def moved(packed: Path, root: Path, model: str = "GaitBase", **changes: Any) -> Weights:
    """By how much one step moves what learns."""
    changes = {**PLAIN, **changes}
    begun = trained(resolved(model, **{**changes, "iterations": 0}), packed, root / "begun")
    after = trained(resolved(model, **changes), packed, root / "after")
    return {
        key: after[key] - begun[key]
        for key in after
        if after[key].is_floating_point() and "running" not in key
    }


def length(move: Weights) -> float:
    return math.sqrt(sum(float(each.double().square().sum()) for each in move.values()))


def close(one: Weights, other: Weights) -> None:
    # As vectors: normalisation enlarges differences of rounding here and there.
    assert length({key: one[key] - other[key] for key in other}) < 1e-3 * length(other)


def lines(root: Path) -> list[dict[str, Any]]:
    return read_history(root / "after" / "history.jsonl")


def test_weights_of_losses_scale_their_gradients_and_the_loss(
    packed: Path, tmp_path: Path
) -> None:
    def of(name: str, **losses: Any) -> Weights:
        return moved(packed, tmp_path / name, losses=losses)

    triplet, softmax = of("t", triplet=TRIPLET), of("s", softmax=SOFTMAX)
    both = of("b", triplet={**TRIPLET, "weight": 3.0}, softmax={**SOFTMAX, "weight": 0.5})
    close(both, {key: 3 * triplet[key] + 0.5 * softmax[key] for key in both})
    (line,) = lines(tmp_path / "b")
    expected = 3 * line["losses"]["triplet"] + 0.5 * line["losses"]["softmax"]
    assert line["loss"] == pytest.approx(expected, rel=1e-5)
    assert length(triplet) > 0 and length(softmax) > 0


@pytest.mark.parametrize("asked", ["fp32", "fp16"])
def test_a_clipped_gradient_is_as_long_as_it_may_be(
    asked: str, packed: Path, tmp_path: Path, all_pay: None
) -> None:
    # So small that no scaled gradient overflows in half precision.
    losses = {"triplet": {**TRIPLET, "weight": 0.01}}
    changes: dict[str, Any] = {"precision": asked, "losses": losses}
    free = length(moved(packed, tmp_path / "free", "GaitSet", **changes))
    assert free > 0
    for share in (0.1, 10.0):
        root = tmp_path / str(share)
        clipped = moved(packed, root, "GaitSet", **changes, gradient_clip=share * free)
        assert length(clipped) == pytest.approx(min(share, 1) * free, rel=1e-2)


@pytest.mark.parametrize("every", [None, 1])
def test_fixed_batch_normalisation_keeps_its_statistics(
    every: int | None, packed: Path, tmp_path: Path
) -> None:
    logging = {"log_every": 1, "evaluate_every": every}

    def statistics(root: Path, **changes: Any) -> list[Tensor]:
        state = trained(resolved("GaitBase", logging=logging, **changes), packed, root)
        return [each for key, each in state.items() if "running" in key]

    begun = statistics(tmp_path / "begun", iterations=0)
    fixed = statistics(tmp_path / "fixed", iterations=2, batch_norm="fixed")
    free = statistics(tmp_path / "free", iterations=2)
    assert begun and all(map(torch.equal, begun, fixed))
    assert not any(map(torch.equal, begun, free))


class Recorder(torch.nn.Module):
    """Notes what a product of matrices is computed in."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4, 4))
        self.found: list[torch.dtype] = []

    def forward(self, inputs: list[Tensor], lengths: object = None) -> Any:
        product = inputs[0] @ self.weight
        self.found.append(product.dtype)
        raise StopIteration


DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("asked", DTYPES)
def test_a_step_computes_in_the_precision_that_it_is_given(asked: Any) -> None:
    model = Recorder()
    world: Any = None
    loss = Loss.model_validate({**TRIPLET})
    module = TrainingStep(model, {"triplet": loss}, world, [2], asked)
    with pytest.raises(StopIteration):
        module([torch.ones(2, 4)], {"identity": torch.zeros(2, dtype=torch.long)}, None)
    assert model.found == [DTYPES[asked]]


@pytest.mark.parametrize("asked", DTYPES)
@pytest.mark.parametrize("pays", [True, False])
def test_training_and_embedding_compute_in_what_is_asked_for_where_it_pays(
    asked: str,
    pays: bool,
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    used: dict[str, set[str]] = {"train": set(), "embed": set()}

    def noted(where: str) -> Any:
        def autocast(chosen: Any, device: torch.device) -> Any:
            used[where].add(chosen)
            return precision.autocast(chosen, device)

        return autocast

    monkeypatch.setattr(precision, "_pays", lambda *_: pays)
    monkeypatch.setattr(step, "autocast", noted("train"))
    monkeypatch.setattr(embedding, "autocast", noted("embed"))
    settings = {"transforms": [], "precision": asked}
    experiment = resolved(iterations=2, precision=asked, embedding=settings)
    trained(experiment, packed, tmp_path)
    embed(experiment, packed, tmp_path / "model.pt", tmp_path / "e.npz")
    wanted = asked if pays else "fp32"
    assert used == {"train": {wanted}, "embed": {wanted}}
    said = capsys.readouterr().out
    is_said = asked != wanted
    assert (f"\nprecision {asked}: this processor has no units for it" in said) is is_said
    assert (f"embedding.precision {asked}: this processor has no units" in said) is is_said
    assert read_model(tmp_path / "model.pt")


def test_what_pays_is_what_a_device_has_units_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    found: dict[str, bool] = {}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert precision.paying("fp32", cpu) == "fp32"
    assert [precision.paying(each, cpu) for each in ("bf16", "fp16")] == ["fp32", "fp32"]
    found["avx512_bf16"] = True
    assert [precision.paying(each, cpu) for each in ("bf16", "fp16")] == ["bf16", "fp32"]
    found["amx_fp16"] = True
    assert [precision.paying(each, cpu) for each in ("bf16", "fp16")] == ["bf16", "fp16"]
    for capability, expected in (
        ((6, 1), ["fp32", "fp32"]),
        ((7, 5), ["fp32", "fp16"]),
        ((8, 0), ["bf16", "fp16"]),
    ):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, each=capability: each)
        assert [precision.paying(each, gpu) for each in ("bf16", "fp16")] == expected


def test_steps_that_overflow_change_neither_weights_nor_the_schedule(
    packed: Path, tmp_path: Path, all_pay: None
) -> None:
    changes: dict[str, Any] = {
        "precision": "fp16",
        "losses": {"triplet": {**TRIPLET, "weight": 1e35}},
        "iterations": 4,
        "scheduler": {"name": "MultiStepLR", "milestones": [1, 2, 3]},
        "logging": {"log_every": 1, "checkpoint_every": 2},
    }
    move = moved(packed, tmp_path, **changes)
    assert length(move) == 0
    assert [line["lr"] for line in lines(tmp_path)] == [1.0] * 4
    scales = [_scale(tmp_path / "after", each) for each in (2, 4)]
    assert scales == [65536 / 4, 65536 / 16]
    # The scale goes on from where it was: begun anew, it would be at a quarter again.
    cut = tmp_path / "cut"
    for iterations in (2, 4):
        trained(
            resolved("GaitBase", **{**PLAIN, **changes, "iterations": iterations}), packed, cut
        )
    assert _scale(cut, 4) == 65536 / 16


def _scale(root: Path, iteration: int) -> float:
    (file,) = root.glob(f"checkpoints/*/{iteration}.pt")
    scale: float = torch.load(file, weights_only=True)["scaler"]["scale"]
    return scale


@pytest.mark.parametrize("first", [True, False])
def test_a_run_goes_on_where_its_precision_pays_otherwise(
    first: bool, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for iterations, pays in ((2, first), (4, not first)):
        monkeypatch.setattr(precision, "_pays", lambda *_, pays=pays: pays)
        trained(resolved(precision="fp16", iterations=iterations), packed, tmp_path)
    assert [line["iteration"] for line in read_history(tmp_path / "history.jsonl")] == [1, 2, 3, 4]
