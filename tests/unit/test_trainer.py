"""Training and embedding in one process; several are in tests/distributed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gait.config.resolved import Resolved
from gait.data.store import PackedStore
from gait.engine import precision
from gait.engine.embed import embed
from gait.engine.history import read_history
from gait.engine.loop import Loop
from gait.engine.runtime.distributed import PREEMPTED, session
from gait.engine.runtime.failures import user_message
from gait.engine.state.weights import read_model
from gait.engine.trainer import train
from gait.engine.validate import figures
from gait.errors import CheckpointError, ConfigError, TrainingError
from gait.evaluation import score_embeddings
from gait.evaluation.verification import VerificationScore
from gait.types import ModelOutput
from tests.engine_fixtures import SUBJECTS, resolved, write_store

TIMINGS = {"step_s", "data_wait_share", "sequences_per_s"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "packed"
    write_store(path)
    return path


def _train(experiment: Resolved, packed: Path, root: Path, workers: int = 0) -> bytes:
    train(experiment, packed, root, root / "model.pt", workers=workers)
    return (root / "model.pt").read_bytes()


def _curve(root: Path) -> list[dict[str, Any]]:
    lines = read_history(root / "history.jsonl")
    return [{key: line[key] for key in line.keys() - TIMINGS} for line in lines]


@pytest.mark.parametrize("model", ["GaitSet", "GaitBase"])
def test_two_and_two_steps_equal_four(model: str, packed: Path, tmp_path: Path) -> None:
    logging = {"log_every": 3, "checkpoint_every": 2}
    whole = _train(resolved(model, logging=logging), packed, tmp_path / "whole")
    _train(resolved(model, logging=logging, iterations=2), packed, tmp_path / "cut")
    resumed = _train(resolved(model, logging=logging), packed, tmp_path / "cut", workers=1)
    assert resumed == whole
    # The first part logged its end, which the undisturbed curve does not have.
    assert [line["iteration"] for line in _curve(tmp_path / "whole")] == [3, 4]
    assert _curve(tmp_path / "cut")[-1]["iteration"] == 4


def test_a_stopped_run_saves_and_goes_on_as_if_undisturbed(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = resolved("GaitBase", logging={"log_every": 2, "checkpoint_every": 2})
    whole = _train(experiment, packed, tmp_path / "whole")
    step = Loop._train

    def interrupted(loop: Loop, *arguments: Any) -> None:
        step(loop, *arguments)
        if loop._iteration == 3:
            os.kill(os.getpid(), signal.SIGUSR1)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train", interrupted)
        with pytest.raises(SystemExit) as left:
            _train(experiment, packed, tmp_path / "cut")
    assert left.value.code == PREEMPTED
    assert not (tmp_path / "cut" / "model.pt").exists()
    assert len(list((tmp_path / "cut").glob("checkpoints/*/3.pt"))) == 1
    assert _train(experiment, packed, tmp_path / "cut") == whole
    assert _curve(tmp_path / "cut") == _curve(tmp_path / "whole")


def test_a_killed_run_loses_only_what_came_after_its_checkpoint(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = resolved(logging={"log_every": 1, "checkpoint_every": 2})
    whole = _train(experiment, packed, tmp_path / "whole")
    step = Loop._train

    def killed(loop: Loop, *arguments: Any) -> None:
        if loop._iteration == 3:
            raise KeyboardInterrupt
        step(loop, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train", killed)
        with pytest.raises(KeyboardInterrupt):
            _train(experiment, packed, tmp_path / "cut")
    with (tmp_path / "cut" / "history.jsonl").open("a") as file:
        file.write('{"iteration": 4, "lo')
    assert [line["iteration"] for line in _curve(tmp_path / "cut")] == [1, 2, 3]
    assert _train(experiment, packed, tmp_path / "cut") == whole
    assert _curve(tmp_path / "cut") == _curve(tmp_path / "whole")


def test_an_edited_experiment_starts_anew(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _train(resolved(seed=1), packed, tmp_path / "run")
    edited = _train(resolved(seed=2), packed, tmp_path / "run")
    assert "left alone" in capsys.readouterr().out
    assert edited == _train(resolved(seed=2), packed, tmp_path / "fresh")
    assert _curve(tmp_path / "run") == _curve(tmp_path / "fresh")
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 2


def test_a_loss_that_is_not_finite_stops_and_names_the_batch(packed: Path, tmp_path: Path) -> None:
    experiment = resolved(
        optimizer={"name": "SGD", "lr": 1e30},
        scheduler={"name": "MultiStepLR", "milestones": [1000]},
        logging={"log_every": 1, "checkpoint_every": 100},
        iterations=20,
    )
    with pytest.raises(TrainingError) as caught:
        _train(experiment, packed, tmp_path)
    message = str(caught.value)
    assert "the loss triplet is" in message and "learning rate 1e+30" in message
    (dump,) = (tmp_path / "checkpoints").glob("*/not-finite-*.json")
    assert str(dump) in message and "gradient_clip" in message
    record = json.loads(dump.read_text())
    assert len(record["sequences"]) == 9 and record["loss"] == "triplet"
    assert record["sequences"][0] in message
    assert record["sequences"][0].split("/")[0] in SUBJECTS[:5]
    assert not (tmp_path / "model.pt").exists()
    assert not list((tmp_path / "checkpoints").glob("*/*.pt"))


def test_weights_that_are_not_finite_are_not_saved(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Loop._train

    def poisoned(loop: Loop, *arguments: Any) -> None:
        step(loop, *arguments)
        if loop._iteration == 4:
            with torch.no_grad():
                loop._learning[0].view(-1)[0] = torch.nan

    monkeypatch.setattr(Loop, "_train", poisoned)
    with pytest.raises(TrainingError, match="weights after iteration 4 hold values"):
        _train(resolved(), packed, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*/*.pt"))


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16"},
        {"precision": "fp16"},
        {"batch_norm": "fixed", "gradient_clip": 1.0},
        {"batch_norm": "local"},
        {"frames": {"number": "unfixed", "order": "ordered", "count_range": [2, 4]}},
        {"optimizer": {"name": "AdamW", "lr": 1e-3, "betas": [0.9, 0.99]}},
        {"scheduler": {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 10}},
        {"scheduler": {"name": "CosineAnnealingLR", "T_max": 10}},
        {"sampler": {"name": "CommonSampler", "batch": 6}},
    ],
    ids=lambda changes: "-".join(str(each) for each in changes),
)
def test_every_setting_resumes_exactly(
    changes: dict[str, Any], packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_pays", lambda *_: True)
    whole = _train(resolved("GaitBase", **changes), packed, tmp_path / "whole")
    _train(resolved("GaitBase", **changes, iterations=2), packed, tmp_path / "cut")
    assert _train(resolved("GaitBase", **changes), packed, tmp_path / "cut") == whole


def test_the_loss_decreases(packed: Path, tmp_path: Path) -> None:
    optimizer = {"name": "Adam", "lr": 3e-3}
    experiment = resolved(
        "GaitBase",
        iterations=40,
        optimizer=optimizer,
        scheduler={"name": "MultiStepLR", "milestones": [1000]},
        logging={"log_every": 10},
    )
    _train(experiment, packed, tmp_path)
    losses = [line["loss"] for line in _curve(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_history_holds_window_means_and_the_rate_in_use(packed: Path, tmp_path: Path) -> None:
    _train(resolved(logging={"log_every": 1}), packed, tmp_path / "one")
    _train(resolved(logging={"log_every": 2}), packed, tmp_path / "two")
    single, double = _curve(tmp_path / "one"), _curve(tmp_path / "two")
    for pair, window in zip([single[:2], single[2:]], double, strict=True):
        mean = sum(line["losses"]["triplet"] for line in pair) / 2
        assert window["losses"]["triplet"] == pytest.approx(mean, rel=1e-6)
    assert [line["lr"] for line in single] == pytest.approx([0.05, 0.05, 0.05, 0.005])
    assert list((tmp_path / "one" / "summary").glob("events*"))


def test_evaluation_while_training_changes_nothing(packed: Path, tmp_path: Path) -> None:
    _train(resolved("GaitBase"), packed, tmp_path / "plain")
    logging = {"log_every": 1, "evaluate_every": 2}
    _train(resolved("GaitBase", logging=logging), packed, tmp_path / "watched")
    states = [
        torch.load(tmp_path / name / "model.pt", weights_only=True)["model"]
        for name in ("plain", "watched")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    scores = [line for line in _curve(tmp_path / "watched") if "rank1_pct" in line]
    assert [line["iteration"] for line in scores] == [2, 4]
    assert set(scores[0]["rank1_pct"]) == {"all/NM", "all/BG"}
    assert not list((tmp_path / "watched").glob("checkpoints/*/evaluation.npz"))


PAIRS = {"kind": "verification", "title": "pairs", "of": "all"}
SUBMISSION = {
    "kind": "submission",
    "title": "for others",
    "gallery": {"condition": ["nm-01"]},
    "probes": {"condition": ["nm-02"], "subject": ["006"]},
    "columns": "video label",
}
SIDES = {"front": {"view": ["000"]}, "side": {"view": ["090"]}}


def _with_dataset(experiment: Resolved, **changes: Any) -> Resolved:
    """The experiment on a dataset that differs in some keys."""
    stated = experiment.model_dump(mode="json")
    return Resolved.model_validate(stated | {"dataset": stated["dataset"] | changes})


def test_pairs_are_followed_while_training_and_a_submission_is_said_to_be_left_out(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = resolved(logging={"log_every": 4, "evaluate_every": 4})
    protocols = experiment.dataset.model_dump(mode="json")["protocols"]
    protocols |= {"pairs": PAIRS, "submission": SUBMISSION}
    _train(_with_dataset(experiment, protocols=protocols), packed, tmp_path)
    [scores] = [line for line in _curve(tmp_path) if "eer_pct" in line]
    assert set(scores["rank1_pct"]) == {"all/NM", "all/BG"}
    assert set(scores["eer_pct"]) == {"pairs/NM", "pairs/BG"}
    said = capsys.readouterr().out
    assert "leaves out submission, which only the organisers of a challenge can score" in said
    assert "iteration 4: equal error rate in percent: pairs/NM " in said
    # As the table has it: the model that was followed last is the one that is written.
    embed(experiment, packed, tmp_path / "model.pt", tmp_path / "embeddings.npz")
    with np.load(tmp_path / "embeddings.npz") as archive:
        texts = [archive[name] for name in ("subject", "condition", "view")]
        watched = _with_dataset(experiment, protocols=protocols).validation_protocols
        result = score_embeddings(archive["embeddings"], *texts, watched)["pairs"]
    assert isinstance(result, VerificationScore)
    assert scores["eer_pct"]["pairs/NM"] == result.probes["NM"].summary.eer_pct


def test_the_accuracy_is_followed_while_training(packed: Path, tmp_path: Path) -> None:
    losses = {"softmax": {"name": "CrossEntropy", "target": "category"}}
    experiment = _with_dataset(
        resolved(
            "ScoNet",
            losses=losses,
            logging={"log_every": 4, "evaluate_every": 2},
            evaluation={"output": "logits"},
        ),
        categories=SIDES,
        protocols={"side": {"kind": "classification", "title": "from where"}},
    )
    _train(experiment, packed, tmp_path)
    scores = [line for line in _curve(tmp_path) if "accuracy_pct" in line]
    assert [line["iteration"] for line in scores] == [2, 4]
    assert set(scores[0]) == {"iteration", "accuracy_pct"}
    assert set(scores[0]["accuracy_pct"]) == {"side"}


def test_subjects_that_are_missing_or_of_neither_set_are_told(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    partition = {"train": ["001-004", "099"], "test": ["006-007"]}
    _train(_with_dataset(resolved("GEI"), partition=partition), packed, tmp_path)
    said = capsys.readouterr().out
    assert "the data lack 1 of 5 training subjects: 099\n" in said
    assert (
        "2 of 8 subjects of the data are in neither the training nor the test set: 005, 008"
        in said
    )


class Half(torch.nn.Module):
    """Finds half of every silhouette."""

    def forward(self, inputs: list[torch.Tensor], lengths: list[int] | None) -> ModelOutput:
        return ModelOutput(torch.full((len(inputs[0]), 1, 1), 0.5), {})


def test_the_overlap_is_followed_while_training(packed: Path, tmp_path: Path) -> None:
    experiment = _with_dataset(
        resolved(evaluation={"output": "iou"}),
        protocols={"overlap": {"kind": "segmentation", "title": "silhouettes"}},
    )
    with session() as world:
        file = tmp_path / "embeddings.npz"
        found = figures(Half(), experiment, PackedStore(packed), file, world, 0)
    assert found == {"miou_pct": {"overlap": 50.0}}
    assert not file.exists()


def test_a_warm_start_begins_with_the_given_weights(packed: Path, tmp_path: Path) -> None:
    _train(resolved(), packed, tmp_path / "first")
    first = tmp_path / "first" / "model.pt"
    still = resolved(init={"weights": str(first)}, iterations=0)
    _train(still, packed, tmp_path / "still")
    trained, copied = read_model(first), read_model(tmp_path / "still" / "model.pt")
    assert all(torch.equal(trained.model[name], copied.model[name]) for name in trained.model)


def test_a_warm_start_that_resets_nothing_goes_on(packed: Path, tmp_path: Path) -> None:
    # A rate that is another one at each step.
    scheduler = {"name": "CosineAnnealingLR", "T_max": 6}
    _train(resolved(scheduler=scheduler), packed, tmp_path / "first")
    checkpoint = next((tmp_path / "first").glob("checkpoints/*/4.pt"))
    init = {"weights": str(checkpoint), "reset": []}
    _train(resolved(init=init, iterations=6, scheduler=scheduler), packed, tmp_path / "longer")
    _train(resolved(iterations=6, scheduler=scheduler), packed, tmp_path / "whole")
    a, b = (read_model(tmp_path / name / "model.pt").model for name in ("longer", "whole"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    rates = [[line["lr"] for line in _curve(tmp_path / name)] for name in ("longer", "whole")]
    assert rates[0] == rates[1][4:] and len(set(rates[1])) == 6


def test_a_model_without_parameters_is_only_written(packed: Path, tmp_path: Path) -> None:
    sampler = {"name": "TripletSampler", "subjects": 99, "sequences": 9}
    _train(resolved("GEI", sampler=sampler), packed, tmp_path)
    weights = read_model(tmp_path / "model.pt")
    assert weights.model == {} and weights.provenance["iterations"] == 0
    embed(resolved("GEI"), packed, tmp_path / "model.pt", tmp_path / "embeddings.npz")
    with np.load(tmp_path / "embeddings.npz") as archive:
        assert archive["embeddings"].shape == (18, 32 * 32, 1)


def test_a_loss_reads_a_field_that_the_model_gives(packed: Path, tmp_path: Path) -> None:
    losses = {"softmax": {"name": "CrossEntropy"}}
    with pytest.raises(ConfigError, match=r"losses\.softmax reads 'logits'.*gives embeddings"):
        _train(resolved("GaitSet", losses=losses), packed, tmp_path)


def test_embeddings_do_not_depend_on_the_budget(packed: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    _train(resolved("GaitBase"), packed, tmp_path)
    rows = []
    for budget in (1, 40, 10_000):
        embedding = {"transforms": [], "frames_per_batch": budget, "frames_limit": 6}
        path = tmp_path / f"{budget}.npz"
        embed(resolved("GaitBase", embedding=embedding), packed, model, path, workers=budget % 2)
        with np.load(path) as archive:
            rows.append({name: archive[name] for name in archive.files})
    assert rows[0]["embeddings"].dtype == np.float32 and rows[0]["frames"].max() == 6
    keys = list(zip(*(rows[0][name] for name in ("subject", "condition", "view")), strict=True))
    assert keys == sorted(keys) and {key[0] for key in keys} == set(SUBJECTS[5:])
    for other in rows[1:]:
        np.testing.assert_allclose(
            other["embeddings"], rows[0]["embeddings"], rtol=1e-4, atol=1e-5
        )
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_embedding_refuses_weights_that_do_not_fit(packed: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    _train(resolved(iterations=0), packed, tmp_path)
    with pytest.raises(CheckpointError, match="trained for another model"):
        embed(resolved("GaitBase"), packed, model, tmp_path / "e.npz")
    cut = resolved(embedding={"transforms": [{"name": "CropSides", "columns": 2}]})
    with pytest.raises(CheckpointError, match=r"width_px 32 \(the test frames have 28\)"):
        embed(cut, packed, model, tmp_path / "e.npz")
    assert not (tmp_path / "e.npz").exists()


def test_known_failures_have_a_sentence() -> None:
    inside = ConfigError(
        "Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent call "
        'last):\n  File "x.py", line 1, in f\ngait.errors.DataError: x.npy: is torn; pack again'
    )
    assert user_message(inside) == "x.npy: is torn; pack again"
    memory = user_message(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."))
    assert memory is not None and "frames_per_batch" in memory
    assert user_message(RuntimeError("Connection closed by peer [127.0.0.1]:1")) is not None
    assert user_message(RuntimeError("shape mismatch")) is None
