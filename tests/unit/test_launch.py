"""The launcher's last words are those of the process that failed first, however ranks end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from gait.engine.runtime import launch

# A rank with no room for more than the first bytes of its message, as one that the launcher ends
# while it writes.
CUT_SHORT = """
import resource, signal
from gait.engine.runtime.distributed import run_with_error_report
from gait.errors import TrainingError

def work():
    signal.signal(signal.SIGXFSZ, {handler})
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))
    raise TrainingError("the cause")

run_with_error_report(work)
"""


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "signal.SIG_DFL"])
def test_the_cause_is_left_whole_or_not_at_all(handler: str, tmp_path: Path) -> None:
    path = tmp_path / "error.json"
    ended = subprocess.run(
        [sys.executable, "-c", CUT_SHORT.format(handler=handler)],
        env={"PATH": "", "TORCHELASTIC_ERROR_FILE": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if handler == "signal.SIG_IGN":
        assert (ended.returncode, ended.stderr) == (1, "gait: error: the cause\n")
    else:
        assert ended.returncode == -signal.SIGXFSZ
    assert not path.exists()


def test_a_rank_that_the_launcher_ended_is_not_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "error.json"
    extra = {"timestamp": "2000000000"}
    own.write_text(json.dumps({"message": {"message": "the cause", "extraInfo": extra}}))
    ended = ProcessFailure(0, 1, -signal.SIGTERM, str(tmp_path / "none"))
    ended.timestamp = 2_000_000_000
    failed = ProcessFailure(1, 2, 1, str(own))

    def run(_: Any) -> None:
        raise ChildFailedError("train", {0: ended, 1: failed})

    monkeypatch.setattr(launch.run, "run", run)
    assert launch.main(["script.py"]) == 1
    assert capsys.readouterr().err == "gait: error: the cause\n"
