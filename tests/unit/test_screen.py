"""What names from outside may do on a terminal: nothing."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from gait.errors import ConfigError, DataError, GaitError, MissingExtraError
from gait.prepare.check.findings import Finding, Report, Severity
from gait.screen import Escaping, printable, shown

HOSTILE = "a\x1b[31mb\nc\rd\x00\x9b2Je\u202ef\u2028g\udcffh\x7f"
SHOWN = r"a\x1b[31mb\nc\rd\x00\x9b2Je\u202ef\u2028g\udcffh\x7f"


def test_what_acts_on_a_terminal_is_escaped_once() -> None:
    assert printable(HOSTILE) == SHOWN
    assert printable(SHOWN) == SHOWN
    assert printable("Größe 名前 [red] \\n") == "Größe 名前 [red] \\n"


def test_what_a_message_quotes_is_cut_and_the_lines_of_an_error_become_one() -> None:
    assert shown("a" * 120) == "a" * 120
    assert shown("a" * 121) == "a" * 120 + "..."
    assert len(shown("\u202e" * 10**6)) == 123
    assert shown(RuntimeError("two  blanks\n\tsize\x1b[2J\n")) == r"two  blanks size\x1b[2J"


@pytest.mark.parametrize("kind", [GaitError, ConfigError, DataError])
def test_each_problem_of_an_error_is_a_line(kind: type[GaitError]) -> None:
    error = kind([f"{HOSTILE}: one", "two"])
    assert str(error) == f"{SHOWN}: one\ntwo"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind(HOSTILE)) == SHOWN


def test_an_error_of_a_library_that_is_absent_comes_whole_from_another_process() -> None:
    error = MissingExtraError("DINOv2", "foundation")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_findings_are_a_line_each() -> None:
    report = Report(HOSTILE, [Finding(Severity.note, "of a kind", 2, HOSTILE, "do nothing")])
    assert str(report) == f"{SHOWN}\nnote: of a kind: 2 ({SHOWN}); do nothing"


def test_a_stream_keeps_lines_and_escapes_the_rest() -> None:
    stream = io.StringIO()
    print("one\n\ttwo", HOSTILE, file=Escaping(stream))
    assert stream.getvalue() == "one\n\ttwo " + SHOWN.replace(r"\n", "\n", 1) + "\n"


def gait(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    repository = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "gait", *arguments],
        cwd=folder,
        env={"PYTHONPATH": repository, "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["config", "A/B/\x1b[31m"], 1), (["check", "\x1b[2J\r"], 1), (["\x1b]0;x\x07"], 2)],
)
def test_arguments_come_back_escaped(tmp_path: Path, arguments: list[str], code: int) -> None:
    (tmp_path / "datasets/Some").mkdir(parents=True)
    (tmp_path / "datasets/Some/dataset.yaml").touch()
    done = gait(tmp_path, *arguments)
    assert done.returncode == code
    assert not {0x1B, 0x0D, 0x07} & set(done.stdout + done.stderr)
    assert rb"\x1b" in done.stderr


def test_outside_a_project_commands_say_so(tmp_path: Path) -> None:
    for arguments in (["datasets"], ["models"], ["config", "A/B/c"], ["check", "A"]):
        done = gait(tmp_path, *arguments)
        lines = done.stderr.decode().splitlines()
        assert done.returncode == 1 and not done.stdout, arguments
        assert len(lines) == 1 and lines[0].startswith(f"gait: error: {tmp_path}: expected a pro")
        assert lines[0].endswith("or set GAIT_ROOT to it")


def test_a_project_is_found_from_a_folder_in_it_and_by_its_name(tmp_path: Path) -> None:
    repository = Path(__file__).parents[2]
    inside = gait(repository / "docs", "datasets")
    named = gait(tmp_path, "datasets", GAIT_ROOT=str(repository))
    assert b"CASIA-B" in inside.stdout and inside.stdout == named.stdout
    wrong = gait(tmp_path, "datasets", GAIT_ROOT=str(tmp_path))
    assert wrong.returncode == 1 and b"GAIT_ROOT=" in wrong.stderr
