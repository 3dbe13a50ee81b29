"""What is told at the end of a run: its failures, and what was left out."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gait.formats.manifest import ManifestRow, manifest_text
from gait.types import SequenceKey
from gait.workflow.messages import failures, left_out
from tests.unit.configurations import copy_some, flow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_some(tmp_path)


def test_sentences_come_from_the_logs_of_this_run_each_once(root: Path) -> None:
    logs = root / "logs/train/SynthGait"
    logs.mkdir(parents=True)
    (logs / "old.log").write_text("gait: error: of yesterday\n", encoding="utf-8")
    os.utime(logs / "old.log", (1_000_000_000, 1_000_000_000))
    known = flow(root)
    assert "of yesterday" not in failures(known)
    said = "Traceback\ngait: error: the disk is full\nmore\ngait: error: the disk is full\n"
    (logs / "one.log").write_text(said, encoding="utf-8")
    (logs / "two.log").write_bytes(b"\xff\xfe\ngait: error: no such file\n")
    assert failures(known).splitlines() == [
        "gait: error: the disk is full",
        "gait: error: no such file",
    ]
    (logs / "three.log").write_text("told to stop: saved after iteration 3; go on\n")
    assert failures(known).splitlines()[1] == "told to stop: saved after iteration 3; go on"


def test_what_was_left_out_is_told_at_the_end_of_the_run_that_did_so(root: Path) -> None:
    known = flow(root)
    tables = [root / each for each in known.pkl_tables("SynthGait")]
    tables[0].parent.mkdir(parents=True)
    rows = [
        ManifestRow(SequenceKey("001", "nm-01", "090"), "a.pkl", 10, 8, {"no walker": 2}),
        ManifestRow(SequenceKey("001", "nm-02", "090"), "", 7, 0, {"truncated video": 7}),
        ManifestRow(SequenceKey("001", "nm-03", "090"), "", 9, 0, {"a": 1, "camera moves": 8}),
        ManifestRow(SequenceKey("001", "nm-04", "090"), "b.pkl", 1000, 1000),
    ]
    tables[0].write_text(manifest_text(rows))
    tables[1].write_text("damaged")
    assert left_out(known) == ""
    log = root / "logs/segment/SynthGait/1-of-2.log"
    log.parent.mkdir(parents=True)
    log.touch()
    assert left_out(known) == (
        "gait: SynthGait: 1,008 of 1,026 frames kept; "
        "dropped: 8 camera moves, 7 truncated video, 2 no walker, 1 a; "
        "2 of 4 sequences dropped as a whole: 1 camera moves, 1 truncated video; "
        "see data/SynthGait/manifest.csv\n"
    )
    tables[0].write_text(manifest_text(rows[3:]))
    assert left_out(known) == ""


def test_a_job_that_died_without_a_word_is_told_as_such(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = flow(root)
    assert "without a word: interrupted, or killed" in failures(known)
    monkeypatch.setattr("gait.workflow.messages._FULL_BYTES", 2**60)
    assert re.search(r"without a word, as the disk of .* is full \([\d,]+ bytes", failures(known))
