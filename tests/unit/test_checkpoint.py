"""Checkpoints, weights files and what a run may start from."""

from __future__ import annotations

import errno
import pickle
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gait.engine.state import files
from gait.engine.state.checkpoint import Checkpoints, Fingerprint, fingerprint
from gait.engine.state.files import load_torch, save_torch
from gait.engine.state.weights import check_same_model, read_model, start, write_model
from gait.errors import CheckpointError, DataError
from gait.formats.seal import write_sealed_table
from tests.engine_fixtures import resolved, write_store

OURS = Fingerprint("d" * 64, "a" * 64)


def _checkpoints(folder: Path, keep: int = 2, mark: Fingerprint = OURS) -> Checkpoints:
    return Checkpoints(folder, mark, keep)


def _state(value: float = 0.0) -> dict[str, Any]:
    return {"model": {"w": torch.tensor([value])}}


def _iterations(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.pt"))


def test_the_newest_few_are_kept(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    for iteration in (5, 10, 15):
        path = checkpoints.save(iteration, _state(iteration))
    assert _iterations(path.parent) == [10, 15]
    state, said = checkpoints.newest(100)
    assert state is not None and state["iteration"] == 15 and said == []
    assert state["model"]["w"].item() == 15


def test_a_shorter_run_goes_on_from_what_it_can_use(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    for iteration in (5, 10):
        checkpoints.save(iteration, _state())
    state, _ = checkpoints.newest(8)
    assert state is not None and state["iteration"] == 5
    checkpoints.save(7, _state())
    assert _iterations(checkpoints.folder) == [5, 7, 10]


def test_a_torn_checkpoint_is_skipped_with_a_sentence(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save(5, _state(5))
    torn = checkpoints.save(10, _state(10))
    torn.write_bytes(torn.read_bytes()[:-100])
    state, said = checkpoints.newest(100)
    assert state is not None and state["iteration"] == 5
    assert len(said) == 1 and str(torn) in said[0] and "damaged" in said[0]


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    foreign = _checkpoints(tmp_path, mark=Fingerprint("d" * 64, "a" * 12 + "b" * 52))
    path = foreign.save(5, _state())
    with pytest.raises(CheckpointError, match="belongs to another experiment") as caught:
        checkpoints.newest(100)
    assert str(path) in str(caught.value) and "remove it" in str(caught.value)


def test_checkpoints_of_other_settings_are_left_and_named(tmp_path: Path) -> None:
    other = _checkpoints(tmp_path, mark=Fingerprint("d" * 64, "b" * 64)).save(5, _state())
    state, said = _checkpoints(tmp_path).newest(100)
    assert state is None and other.exists()
    assert len(said) == 1 and "b" * 12 in said[0]


def test_half_written_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save(5, _state())
    (checkpoints.folder / ".0123456789ab.partial.pt").write_bytes(b"PK")
    checkpoints.tidy()
    assert [path.name for path in checkpoints.folder.iterdir()] == ["5.pt"]


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = _checkpoints(tmp_path)
    checkpoints.save(5, _state(5))

    def fail(data: object, file: Any) -> None:
        file.write(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.torch, "save", fail)
    with pytest.raises(DataError, match="No space left on device") as caught:
        checkpoints.save(10, _state(10))
    assert "free space" in str(caught.value)
    assert [path.name for path in checkpoints.folder.iterdir()] == ["5.pt"]


def test_a_write_that_the_system_refuses_is_named(tmp_path: Path) -> None:
    """Through torch's own writer, with a limit on the size of files in place of a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match=r"x\.pt: cannot be written"):
            save_torch({"model": {"w": torch.zeros(10_000)}}, tmp_path / "x.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "exploded",)

    path = tmp_path / "bomb.pt"
    torch.save({"model": Bomb()}, path, pickle_module=pickle)
    with pytest.raises(CheckpointError, match=r"bomb\.pt"):
        load_torch(path)
    assert not (tmp_path / "exploded").exists()


def test_the_fingerprint_follows_what_weights_depend_on(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    write_store(packed)
    base = fingerprint(resolved(), packed)
    assert fingerprint(resolved(iterations=9), packed) == base
    assert fingerprint(resolved(logging={"log_every": 7}), packed) == base
    assert fingerprint(resolved(seed=2), packed).all != base.all
    assert fingerprint(resolved(seed=2), packed).data == base.data
    index = packed / "index.csv"
    rows = index.read_text().splitlines()
    index.write_text("\n".join([*rows[:-1], rows[-1][:-1] + "x"]) + "\n")
    assert fingerprint(resolved(), packed) == base, "a test subject's sequence is of no account"
    index.write_text("\n".join([rows[0], rows[1][:-1] + "x", *rows[2:]]) + "\n")
    assert fingerprint(resolved(), packed).data != base.data
    write_sealed_table(index, "\n".join(rows) + "\n")
    assert fingerprint(resolved(), packed) == base
    index.write_text("\n".join([rows[0], rows[1][:-1] + "x", *rows[2:]]) + "\n")
    with pytest.raises(DataError, match=r"index\.csv: differs from its digest"):
        fingerprint(resolved(), packed)


def test_the_fingerprint_follows_the_weights_to_start_from(tmp_path: Path) -> None:
    packed, weights = tmp_path / "packed", tmp_path / "start.pt"
    write_store(packed)
    experiment = resolved(init={"weights": str(weights)})
    with pytest.raises(CheckpointError, match=r"start\.pt.*init or init_from"):
        fingerprint(experiment, packed)
    marks = []
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        marks.append(fingerprint(experiment, packed).all)
    assert marks[0] != marks[1]


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("a.pt", "b.pt"):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        write_model(tmp_path / name, model, resolved(), {"version": "1", "classes": ["x", "x"]})
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    weights = read_model(tmp_path / "a.pt")
    assert torch.equal(weights.model["weight"], model.weight)
    assert weights.config["experiment"]["seed"] == 1


def test_another_file_is_no_model(tmp_path: Path) -> None:
    save_torch({"format": "gait-checkpoint-1", "model": {}}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="expected the format gait-model-1, got gait-check"):
        read_model(tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"missing\.pt.*found none"):
        read_model(tmp_path / "missing.pt")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "m.pt", nn.Linear(1, 1), resolved("GaitSet"), {})
    weights = read_model(tmp_path / "m.pt")
    check_same_model(weights, resolved("GaitSet"), tmp_path / "m.pt")
    with pytest.raises(CheckpointError) as refused:
        check_same_model(weights, resolved("GaitBase"), tmp_path / "m.pt")
    said = str(refused.value)
    assert "name is 'GaitSet' in the weights and 'GaitBase' in the experiment" in said
    assert "channels is [8, 16, 16] in the weights and None in the experiment" in said


def test_a_warm_start_lists_what_does_not_fit(tmp_path: Path) -> None:
    source = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    write_model(tmp_path / "w.pt", source, resolved(), {})
    target = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4, bias=False), nn.Linear(4, 1))
    init = {"weights": str(tmp_path / "w.pt")}
    with pytest.raises(CheckpointError) as caught:
        start(target, resolved(init=init).experiment)
    message = str(caught.value)
    assert "missing: 2.weight, 2.bias" in message and "unexpected: 1.bias" in message
    assert "1.weight [3, 3] instead of [4, 3]" in message and "init.strict: false" in message
    restored, said = start(target, resolved(init={**init, "strict": False}).experiment)
    assert restored == {} and len(said) == 3
    assert torch.equal(target[0].weight, source[0].weight)


def test_a_warm_start_from_a_model_has_no_optimiser_to_restore(tmp_path: Path) -> None:
    write_model(tmp_path / "w.pt", nn.Linear(1, 1), resolved(), {})
    init = {"weights": str(tmp_path / "w.pt"), "reset": ["iteration"]}
    with pytest.raises(CheckpointError, match="holds no optimizer and no scheduler to restore"):
        start(nn.Linear(1, 1), resolved(init=init).experiment)


def test_foreign_weights_are_pointed_to_their_converter(tmp_path: Path) -> None:
    save_torch({"model": {}, "iteration": 1}, tmp_path / "foreign.pt")
    with pytest.raises(CheckpointError, match="import-checkpoint"):
        start(nn.Linear(1, 1), resolved(init={"weights": str(tmp_path / "foreign.pt")}).experiment)
