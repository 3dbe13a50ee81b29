"""Locks of a killed Snakemake are dropped, those of one that runs are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gait.workflow.lock import take_over

# What Snakemake does at its start, and its end.
HOLDER = """
import sys
from pathlib import Path
from gait.workflow.lock import take_over
print(take_over(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def dropped_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".snakemake"
    (folder / "locks").mkdir(parents=True)
    for name in ("0.input.lock", "0.output.lock"):
        (folder / "locks" / name).write_text("results/report.csv\n", encoding="utf-8")
    return folder


def test_locks_of_the_dead_are_dropped(folder: Path) -> None:
    with start(folder) as first:
        assert dropped_by(first) == 2
        assert not list((folder / "locks").iterdir())
        first.kill()


def test_locks_are_kept_while_another_process_holds_the_workflow(folder: Path) -> None:
    with start(folder) as first:
        assert dropped_by(first) == 2
        (folder / "locks/0.input.lock").write_text("results/report.csv\n", encoding="utf-8")
        with start(folder) as second:
            assert dropped_by(second) == 0
            first.kill()
            first.wait()
            with start(folder) as third:
                assert dropped_by(third) == 0, "the second one runs still"
                third.kill()
            second.kill()
        assert (folder / "locks/0.input.lock").exists()
    with start(folder) as last:
        assert dropped_by(last) == 1
        last.kill()


def test_a_folder_that_cannot_be_made_is_snakemakes_to_report(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert take_over(tmp_path / "file/.snakemake") == 0
