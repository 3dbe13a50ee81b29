"""The short bench: some spoilt files for every reader, and proof that the bench can fail."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from gait.errors import DataError
from tests.fuzz.bench import Report, run
from tests.fuzz.mutators import OUTSIDE
from tests.fuzz.readers import modules_that_read
from tests.fuzz.target import NOTED, Target, good_files
from tests.fuzz.targets import NOT_FROM_OUTSIDE, TARGETS, preload
from tests.fuzz.worker import Outcome

# Of targets with a share of 1; the whole stages take a tenth of a second a case.
_CASES = 12
_LEAST = 2
_SEED = 20260101


@pytest.fixture(scope="module", autouse=True)
def _preloaded() -> None:
    preload()


@pytest.mark.parametrize("target", TARGETS, ids=[each.name for each in TARGETS])
def test_no_file_harms(target: Target) -> None:
    good = good_files(target)
    number = good + round(_CASES * min(target.share, 1.0)) + _LEAST
    report = run([target], number, _SEED)
    assert not report.faults, report.findings
    tally = report.tallies[target.name]
    assert tally.total() == number
    # A reader that refuses the good files, too, is not tried at all.
    assert tally[Outcome.ok] + tally[Outcome.noted] or not target.is_readable


def _bad(path: Path) -> object:
    """A reader with every fault that there is, each shown by a byte."""
    match path.read_bytes()[:1]:
        case b"c":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"t":
            time.sleep(60)
        case b"m":
            return bytearray(8_000_000_000)
        case b"g":
            # Touched, not only reserved.
            return len(b"x" * 400_000_000)
        case b"f":
            return 1 // 0
        case b"e":
            Path(f"../../{OUTSIDE}").mkdir(parents=True)
        case b"r":
            raise DataError("refused")
        case b"n":
            return NOTED
    return None


def _verdicts(data: bytes) -> Report:
    def spoilt(random: Random, _: bytes) -> bytes:
        return data

    target = Target("bad", (), lambda: [b"good"], spoilt, _bad, most_bytes=200_000_000)
    return run([target], 2, seconds_a_case=0.5 if data == b"t" else 30, first=1)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"c", Outcome.crash),
        (b"t", Outcome.timeout),
        (b"m", Outcome.blow_up),
        (b"g", Outcome.blow_up),
        (b"f", Outcome.foreign),
        (b"e", Outcome.escape),
    ],
)
def test_a_bad_reader_is_found_out(data: bytes, outcome: Outcome) -> None:
    report = _verdicts(data)
    assert report.tallies["bad"] == {outcome: 2}
    [fault] = report.faults.values()
    assert fault.count == 2 and fault.data == data


@pytest.mark.parametrize(
    ("data", "outcome"), [(b"r", Outcome.refused), (b"n", Outcome.noted), (b"-", Outcome.ok)]
)
def test_what_is_sound_is_no_fault(data: bytes, outcome: Outcome) -> None:
    report = _verdicts(data)
    assert report.tallies["bad"] == {outcome: 2} and not report.faults


def test_a_case_is_the_same_each_time() -> None:
    target = next(each for each in TARGETS if each.name == "pkl-silhouettes")
    assert target.case(1, 50) == target.case(1, 50) != target.case(2, 50)


def test_every_module_that_reads_files_has_a_target() -> None:
    covered = {module for target in TARGETS for module in target.covers}
    reading = modules_that_read()
    assert reading - covered - NOT_FROM_OUTSIDE.keys() == set()
    assert NOT_FROM_OUTSIDE.keys() <= reading, "no module that reads"
