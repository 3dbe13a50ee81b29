"""Waits for data end: by a batch, by a request to stop, or in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gait.engine.runtime.alone import alone_in
from gait.engine.runtime.distributed import (
    PREEMPTED,
    StopRequest,
    World,
    run_with_error_report,
    session,
)
from gait.engine.runtime.failures import is_lost_peer, user_message
from gait.engine.runtime.waiting import in_time
from gait.engine.trainer import train
from gait.errors import TrainingError
from tests.engine_fixtures import resolved, write_store


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "packed"
    write_store(path)
    return path


def _later(number: signal.Signals, seconds: float = 0.2) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_request_to_stop_ends_a_wait(number: signal.Signals) -> None:
    with StopRequest().listening() as stop:
        _later(number)
        began = time.monotonic()
        assert stop.wait_for(lambda: time.sleep(30)) is None
        assert stop.received and time.monotonic() - began < 10
        assert stop.wait_for(lambda: 1) is None, "no further wait begins"


def test_a_second_ctrl_c_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), StopRequest().listening():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_a_batch_that_does_not_come_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def batches() -> Iterator[int]:
        yield 1
        time.sleep(30)

    monkeypatch.setenv("GAIT_MAX_WAIT_S", "1")
    waiting = in_time(batches())
    assert next(waiting) == 1
    with pytest.raises(TrainingError, match=r"no batch has come for 1 s.*/dev/shm has .* MB free"):
        next(waiting)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_loaders_that_cannot_start_name_the_shared_memory() -> None:
    class Full:
        def __iter__(self) -> Iterator[int]:
            raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match=r"cannot be started \(No space.*/dev/shm has"):
        next(in_time(Full()))


SMALL = """
import sys
from pathlib import Path
from gait.data.dataset import TrainingSet
from gait.data.inputs import model_inputs
from gait.data.loader import training_loader
from gait.data.store import PackedStore
from gait.engine.runtime.waiting import in_time
from gait import registry
from tests.engine_fixtures import SUBJECTS, resolved, write_store
import os

if __name__ == "__main__":
    packed = Path(sys.argv[1])
    experiment = resolved(
        sampler={"name": "TripletSampler", "subjects": 5, "sequences": 6},
        frames={"number": "fixed", "order": "unordered", "count": 30},
    ).experiment
    given = TrainingSet(
        PackedStore(packed),
        SUBJECTS[:5],
        registry.build("sampler", experiment.sampler.settings),
        experiment.frames,
        model_inputs(experiment.inputs, experiment.transforms),
        1,
    )
    size = os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize
    one = given[0].inputs[0].numel()
    assert size < one * 4, "two workers read ahead more than there is room for"
    loaded = list(in_time(training_loader(given, 0, 8, workers=2)))
    assert all((a.inputs[0] == given[i].inputs[0]).all() for i, a in enumerate(loaded))
    assert all((a.labels == given[i].labels).all() for i, a in enumerate(loaded))
    print("whole", len(loaded))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_batches_come_through_a_shared_memory_that_is_too_small(
    packed: Path, tmp_path: Path
) -> None:
    script = tmp_path / "small.py"
    script.write_text(SMALL, encoding="utf-8")
    mounted = "mount -t tmpfs -o size=1m tmpfs /dev/shm && exec"
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            f'{mounted} "$@"',
            "sh",
            sys.executable,
            str(script),
            packed,
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stdout == "whole 8\n", done.stderr


# What is said of checkpoints.


def _stopped_at(
    iteration: int, packed: Path, root: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> None:
    wait = StopRequest.wait_for
    asked = iter(range(100))

    def waiting(stop: StopRequest, take: Any) -> Any:
        if next(asked) == iteration:
            _later(signal.SIGINT, 0.1)
            return wait(stop, lambda: time.sleep(30))
        return wait(stop, take)

    with monkeypatch.context() as patch:
        patch.setattr(StopRequest, "wait_for", waiting)
        with pytest.raises(SystemExit) as left:
            train(resolved(**changes), packed, root, root / "model.pt")
    assert left.value.code == PREEMPTED


def test_ctrl_c_says_what_is_kept(
    packed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _stopped_at(0, packed, tmp_path, monkeypatch)
    assert "told to stop: nothing was trained yet, and there is no" in capsys.readouterr().out
    assert not list(tmp_path.glob("checkpoints/*/*.pt"))
    _stopped_at(2, packed, tmp_path, monkeypatch)
    assert "told to stop: saved after iteration 2;" in capsys.readouterr().out
    assert len(list(tmp_path.glob("checkpoints/*/2.pt"))) == 1
    _stopped_at(0, packed, tmp_path, monkeypatch)
    assert "told to stop: the checkpoint of iteration 2 is kept" in capsys.readouterr().out
    train(resolved(), packed, tmp_path, tmp_path / "model.pt")
    train(resolved(), packed, tmp_path / "whole", tmp_path / "whole" / "model.pt")
    assert (tmp_path / "model.pt").read_bytes() == (tmp_path / "whole/model.pt").read_bytes()


def test_an_interruption_elsewhere_claims_no_checkpoint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It leaves at once, which would end the tests.
    monkeypatch.setattr("gait.engine.runtime.distributed.os._exit", sys.exit)

    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        run_with_error_report(work)
    assert left.value.code == 130
    assert capsys.readouterr().err == "gait: interrupted\n"


# One run a folder.


def _world() -> World:
    import torch

    return World(0, 1, torch.device("cpu"), None)


def test_a_folder_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    again = alone_in(folder, _world())
    with alone_in(folder, _world()):
        with pytest.raises(TrainingError, match="another `gait train` is at work"), again:
            pass
        with alone_in(tmp_path / "another", _world()):
            pass
    with alone_in(folder, _world()):
        pass
    assert list(folder.iterdir()) == []


def test_a_process_alone_talks_to_nobody() -> None:
    with session() as world:
        assert (world.rank, world.size, world.backend) == (0, 1, None)
        assert str(world) == f"1 process, {world.device.type}"


# Whose failure it is.


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("NCCL error: remote process exited or there was a network error", True),
        ("Connection closed by peer [127.0.0.1]:3", True),
        ("NCCL communicator was aborted on rank 1", True),
        ("NCCL error: unhandled cuda error", False),
        ("ncclInvalidUsage: duplicate GPU detected", False),
    ],
)
def test_only_the_loss_of_another_process_is_taken_for_one(text: str, lost: bool) -> None:
    assert is_lost_peer(RuntimeError(text)) is lost
    assert ("another process" in (user_message(RuntimeError(text)) or "")) is lost
