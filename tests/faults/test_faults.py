"""A short bench of faults: something of each kind, every time; `make faults` does the rest."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults import chain, disturb, flips
from tests.faults.disturb import Blow
from tests.workflow.workspace import Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

STAGES = {stage.rule: stage for stage in chain.STAGES}
BLOWS = (
    ("segment", signal.SIGKILL, "job"),
    ("pretreat", signal.SIGTERM, "all"),
    ("train", signal.SIGKILL, "snakemake"),
    ("train", signal.SIGKILL, "rank"),
    ("train", signal.SIGINT, "all"),
    ("embed", signal.SIGTERM, "worker"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return chain.finished(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize(("rule", "number", "victim"), BLOWS)
def test_the_same_command_goes_on_after(
    rule: str, number: signal.Signals, victim: str, finished: Workspace, tmp_path: Path
) -> None:
    generator = random.Random()
    blow = Blow(number, victim, generator.uniform(0, 2), in_job=True)
    outcome = disturb.strike(STAGES[rule], finished, tmp_path / "copy", blow, generator)
    assert not outcome.faults, f"{blow}\n{outcome.faults}\n{outcome.detail}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser mounts disks")
@pytest.mark.parametrize(("rule", "is_full"), [("pretreat", True), ("embed", False)])
def test_a_disk_that_takes_no_more(
    rule: str, is_full: bool, finished: Workspace, tmp_path: Path
) -> None:
    generator = random.Random()
    outcome = disturb.fill_disk(STAGES[rule], finished, tmp_path / "copy", is_full, generator)
    assert not outcome.faults, f"{outcome.faults}\n{outcome.detail}"


@pytest.mark.parametrize("kind", ["packed/frames.npy", "metrics.json"])
def test_a_flipped_bit_is_noticed(kind: str, finished: Workspace, tmp_path: Path) -> None:
    path = next(each for each in flips.files(finished.root) if flips.kind_of(each) == kind)
    outcome = flips.flip(finished, tmp_path / "copy", path, random.Random())
    assert not outcome.faults, f"{outcome.faults}\n{outcome.detail}"
