"""`gait check` reads every file of results to its end, also those that no stage reads again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gait.cli import app
from gait.formats.seal import seal_zip, sealed_json, sealed_line, sealed_yaml, write_sealed_table
from gait.report.damage import damaged_results


def zipped(path: Path) -> None:
    np.savez(path, values=np.arange(20.0))
    seal_zip(path)


WRITERS: dict[str, Callable[[Path], object]] = {
    "matrix.csv": lambda path: write_sealed_table(path, "a,b\n1,2\n"),
    "CASIA-B/report.csv": lambda path: write_sealed_table(path, "a,b\n1,2\n"),
    "CASIA-B/GaitSet/demo/submission.csv": lambda path: write_sealed_table(path, "id,of\n1,2\n"),
    "CASIA-B/GaitSet/demo/embeddings.npz": zipped,
    "CASIA-B/GaitSet/demo/metrics.json": lambda path: path.write_text(sealed_json({"rank": 1})),
    "CASIA-B/GaitSet/demo/config.yaml": lambda path: path.write_text(sealed_yaml("seed: 1\n")),
    "CASIA-B/GaitSet/demo/history.jsonl": lambda path: path.write_text(
        sealed_line({"iteration": 1}) + sealed_line({"iteration": 2})
    ),
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name, write in WRITERS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    (folder / "CASIA-B/GaitSet/demo/notes.txt").write_text("mine")
    return folder


def test_what_is_whole_is_not_mentioned(results: Path) -> None:
    assert damaged_results(results, "CASIA-B") == []
    assert damaged_results(results / "absent", "CASIA-B") == []


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("position", [0, 3, -3])
def test_a_flipped_bit_is_named_with_what_to_do(results: Path, name: str, position: int) -> None:
    path = results / name
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    (sentence,) = damaged_results(results, "CASIA-B")
    assert sentence.startswith(f"{path}:") and "run the workflow again" in sentence


def test_check_of_a_dataset_looks_at_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[2]
    for name in ("datasets", "config"):
        (tmp_path / name).symlink_to(root / name)
    tree = tmp_path / "data/CASIA-B/raw/001/nm-01/090"
    tree.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "results/CASIA-B/GaitSet/demo/views.csv"
    table.parent.mkdir(parents=True)
    write_sealed_table(table, "a,b\n1,2\n")
    table.write_text("a,b\n1,3\n")
    result = CliRunner().invoke(app, ["check", "CASIA-B"])
    assert result.exit_code and "CASIA-B/GaitSet/demo/views.csv: differs from" in str(
        result.exception
    )
