"""Settings of an experiment reach the place where they act, with their value."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.config.experiment import Loss
from gait.config.resolved import Resolved
from gait.data.store import PackedStore
from gait.engine.embed import embed
from gait.engine.state.weights import read_model
from gait.engine.step import TrainingStep, build_model
from gait.engine.trainer import train
from gait.evaluation.score import score
from gait.models.gei import GEI
from gait.types import ModelOutput
from tests.engine_fixtures import MODELS, SIZE_PX, resolved, write_store
from tests.unit.packed import seal_packed
from tests.unit.scores import sealed_npz


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "packed"
    write_store(path)
    frames = len(np.load(path / "frames.npy", mmap_mode="r"))
    maps = np.random.default_rng(0).integers(0, 256, (frames, 2, SIZE_PX, SIZE_PX), np.uint8)
    np.save(path / "skeleton_maps.npy", maps)
    seal_packed(path)
    return path


def batches(packed: Path, root: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    """The tensors that the first step of an experiment is given."""
    found: list[list[Tensor]] = []

    def given(self: TrainingStep, inputs: list[Tensor], *rest: object) -> Any:
        found.append(inputs)
        raise StopIteration

    monkeypatch.setattr(TrainingStep, "forward", given)
    with pytest.raises(StopIteration):
        train(resolved(**changes), packed, root, root / "model.pt")
    return found[0]


def test_settings_of_training_reach_the_batch(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shapes(name: str, **changes: Any) -> list[tuple[int, ...]]:
        return [
            tuple(each.shape) for each in batches(packed, tmp_path / name, monkeypatch, **changes)
        ]

    usual: dict[str, Any] = {
        "sampler": {"name": "TripletSampler", "subjects": 2, "sequences": 4},
        "frames": {"count": 5},
        "transforms": [],
    }
    assert shapes("usual", **usual) == [(8, 5, 32, 32)]
    assert shapes("sampler", **usual | {"sampler": {"name": "CommonSampler", "batch": 7}}) == [
        (7, 5, 32, 32)
    ]
    assert shapes("frames", **usual | {"frames": {"count": 3}}) == [(8, 3, 32, 32)]
    cut = [{"name": "CropSides", "columns": 6}]
    assert shapes("transforms", **usual | {"transforms": cut}) == [(8, 5, 32, 20)]
    channels = {"name": "GaitSet", "channels": [4, 8, 8], "in_channels": 3, "bins": [1]}
    monkeypatch.setitem(MODELS, "GaitSet", channels)
    joined = {"inputs": ["skeleton_maps+silhouettes"]}
    assert shapes("joined", **usual | joined) == [(8, 5, 3, 32, 32)]


def test_the_seed_decides_the_weights_and_the_batches(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        (
            build_model(resolved(seed=seed).experiment, {"num_classes": 5}).state_dict(),
            batches(packed, tmp_path / str(seed), monkeypatch, seed=seed)[0],
        )
        for seed in (1, 2, 1)
    ]
    for (weights, batch), is_alike in ((runs[1], False), (runs[2], True)):
        assert torch.equal(batch, runs[0][1]) is is_alike
        alike = [torch.equal(each, runs[0][0][key]) for key, each in weights.items()]
        assert all(alike) if is_alike else not any(alike)


CUT = [{"name": "CropSides", "columns": 5}]


@pytest.mark.parametrize(
    ("settings", "chosen", "columns"),
    [
        ({}, lambda length: range(length), slice(None)),
        ({"frames_limit": 2}, lambda _: [0, 1], slice(None)),
        (
            {"frames_exactly": 3},
            lambda length: range((length - 3) // 2, (length + 3) // 2),
            slice(None),
        ),
        ({"transforms": CUT}, lambda length: range(length), slice(5, 27)),
    ],
    ids=["all", "limit", "exactly", "transforms"],
)
def test_settings_of_embedding_reach_the_frames(
    settings: dict[str, Any], chosen: Any, columns: slice, packed: Path, tmp_path: Path
) -> None:
    # A model that is the mean of the frames, so that embeddings are worked out by hand.
    experiment = resolved(
        "GEI",
        transforms=settings.get("transforms", []),
        embedding={"transforms": [], **settings},
    )
    train(experiment, packed, tmp_path, tmp_path / "model.pt")
    embed(experiment, packed, tmp_path / "model.pt", tmp_path / "e.npz")
    store = PackedStore(packed)
    index = {tuple(key): place for place, key in enumerate(store.keys)}
    with np.load(tmp_path / "e.npz") as found:
        keys = list(zip(*(found[each] for each in ("subject", "condition", "view")), strict=True))
        for key, row, frames in zip(keys, found["embeddings"], found["frames"], strict=True):
            whole = store.read(index[key], slice(None))
            used = whole[list(chosen(len(whole)))][:, :, columns]
            np.testing.assert_allclose(row[:, 0], (used / 255).mean(0).ravel(), atol=1e-6)
            assert frames == len(used)
    assert len(keys) == 18


@pytest.mark.parametrize(("budget", "most"), [(1, 1), (17, 3), (10_000, 18)])
def test_embedding_takes_as_many_frames_at_once_as_it_may(
    budget: int, most: int, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, ...]] = []

    def noted(self: GEI, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        given.append(tuple(inputs[0].shape[:2]))
        return forward(self, inputs, lengths)

    forward = GEI.forward
    monkeypatch.setattr(GEI, "forward", noted)
    settings = {"transforms": [], "frames_exactly": 5, "frames_per_batch": budget}
    experiment = resolved("GEI", embedding=settings)
    train(experiment, packed, tmp_path, tmp_path / "model.pt")
    embed(experiment, packed, tmp_path / "model.pt", tmp_path / "e.npz")
    # Of sequences of five frames, at least one.
    assert set(given) == {(most, 5)} and len(given) == 18 / most


def test_settings_of_evaluation_reach_the_figures(tmp_path: Path) -> None:
    # Of direction alone, each probe finds its subject; of distance, it finds the other one.
    rows = [
        ("006", "nm-01", [5, 0]),
        ("007", "nm-01", [1, 1]),
        ("006", "nm-02", [1, 0]),
        ("007", "nm-02", [4.5, 4]),
        ("006", "bg-01", [1, 0]),
        ("007", "bg-01", [4.5, 4]),
    ]
    sealed_npz(
        tmp_path / "e.npz",
        embeddings=np.array([each for *_, each in rows], np.float32)[:, :, None],
        subject=np.array([each[0] for each in rows]),
        condition=np.array([each[1] for each in rows]),
        view=np.array(["000"] * len(rows)),
        frames=np.full(len(rows), 5),
    )
    stated = resolved("GEI").model_dump(mode="json")
    stated["dataset"]["protocols"]["again"] = stated["dataset"]["protocols"]["all"]

    def scores(**settings: Any) -> dict[str, Any]:
        evaluation = {"bootstrap": 0, **settings}
        experiment = stated["experiment"] | {"evaluation": evaluation}
        score(
            Resolved.model_validate(stated | {"experiment": experiment}),
            tmp_path / "e.npz",
            tmp_path / "m.json",
        )
        found: dict[str, Any] = json.loads((tmp_path / "m.json").read_text())["protocols"]
        return found

    ranks = [
        scores(distance=each)["all"]["mean"]["rank_pct"]["1"] for each in ("euclidean", "cosine")
    ]
    assert ranks == [0, 100]
    assert [scores(bootstrap=each)["all"]["mean"]["rank1_ci_pct"] is None for each in (0, 5)] == [
        True,
        False,
    ]
    assert set(scores()) == {"all", "again"} and set(scores(protocols=["again"])) == {"again"}


def test_checkpoints_are_written_and_kept_as_often_as_asked_for(
    packed: Path, tmp_path: Path
) -> None:
    def kept(every: int, keep: int) -> list[int]:
        logging = {"log_every": 100, "checkpoint_every": every, "keep_checkpoints": keep}
        root = tmp_path / f"{every}-{keep}"
        train(resolved(iterations=7, logging=logging), packed, root, root / "model.pt")
        return sorted(int(each.stem) for each in root.glob("checkpoints/*/*.pt"))

    # The last iteration is always one of them.
    assert kept(2, 9) == [2, 4, 6, 7]
    assert kept(3, 9) == [3, 6, 7]
    assert kept(2, 2) == [6, 7]


class Given(nn.Module):
    """A model whose fields are known."""

    def forward(self, inputs: list[Tensor], lengths: object) -> ModelOutput:
        logits = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).unsqueeze(2)
        fields = {"term": torch.tensor([1.0, 3.0]), "other": torch.tensor([5.0, 6.0])}
        return ModelOutput(inputs[0], {"logits": logits, **fields})


def test_a_loss_is_of_the_field_and_the_target_that_it_names() -> None:
    world: Any = SimpleNamespace(size=1, rank=0)

    def value(**loss: Any) -> float:
        step = TrainingStep(Given(), {"it": Loss.model_validate(loss)}, world, [2], "fp32")
        targets = {"identity": torch.tensor([1, 1]), "category": torch.tensor([0, 0])}
        return float(step([torch.zeros(2, 1, 1)], targets, None)[0])

    assert value(name="AuxiliaryLoss") == pytest.approx(2.0)
    assert value(name="AuxiliaryLoss", field="other") == pytest.approx(5.5)
    plain = {"name": "CrossEntropy", "scale": 1.0, "label_smoothing": 0.0}
    # The logit of the other class is larger by one, which the loss then is, too.
    assert value(**plain, target="category") - value(**plain) == pytest.approx(1.0)


def test_settings_of_the_optimiser_scale_a_step(packed: Path, tmp_path: Path) -> None:
    def stepped(name: str, iterations: int, **settings: Any) -> dict[str, Tensor]:
        experiment = resolved(
            iterations=iterations,
            optimizer={"name": "SGD", "lr": 0.1, **settings},
            scheduler={"name": "MultiStepLR", "milestones": [100]},
        )
        train(experiment, packed, tmp_path / name, tmp_path / name / "model.pt")
        return read_model(tmp_path / name / "model.pt").model

    begun = stepped("begun", 0)
    moves = {
        name: {key: each - begun[key] for key, each in stepped(name, 1, **settings).items()}
        for name, settings in (
            ("plain", {}),
            ("slow", {"lr": 0.025}),
            ("decay", {"weight_decay": 2.0}),
        )
    }
    for key, each in moves["plain"].items():
        torch.testing.assert_close(moves["slow"][key], each / 4, rtol=1e-3, atol=1e-6)
        expected = each - 0.1 * 2.0 * begun[key]
        torch.testing.assert_close(moves["decay"][key], expected, rtol=1e-3, atol=1e-6)


def _other(value: Any) -> Any:
    """Another value of the same kind that a constructor takes."""
    if isinstance(value, bool | None):
        return value
    if isinstance(value, list):
        return [each / 2 for each in value]
    return value / 2 if isinstance(value, float) else value


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_every_setting_of_torch_s_optimisers_is_passed_on(name: str) -> None:
    known = registry.parameters("optimizer", name)
    settings = {"lr": 0.3} | {key: _other(value) for key, value in known.defaults.items()}
    settings["lr"] = 0.3
    if "weight_decay" in settings:
        settings["weight_decay"] = 0.07
    parameters = [nn.Parameter(torch.zeros(1))]
    made = registry.build("optimizer", {"name": name, **settings}, params=parameters)
    for key, value in settings.items():
        found = made.defaults[key]
        assert (list(found) if isinstance(found, tuple) else found) == value, key
