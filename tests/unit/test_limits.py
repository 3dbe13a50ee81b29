"""Bounds on what comes from outside, and the variables that raise them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gait import limits
from gait.errors import ConfigError, DataError
from gait.limits import Limit

LIMITS = [each for each in vars(limits).values() if isinstance(each, Limit)]
BYTES = Limit("GAIT_MAX_TRIED", 10, "bytes")


def test_more_than_the_bound_is_refused_with_the_way_to_raise_it() -> None:
    BYTES.check(10, "a.png", "an image")
    with pytest.raises(DataError, match=r"a.png: an image of 11 bytes.*GAIT_MAX_TRIED=11"):
        BYTES.check(11, "a.png", "an image")


def test_the_variable_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIT_MAX_TRIED", "11")
    BYTES.check(11, "a.png", "an image")


@pytest.mark.parametrize("given", ["", "0", "-1", "many", "1.5", "²"])
def test_a_variable_that_is_no_number_is_named(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIT_MAX_TRIED", given)
    with pytest.raises(ConfigError, match="GAIT_MAX_TRIED"):
        BYTES.check(1, "a.png", "an image")


def test_each_bound_has_a_variable_of_its_own() -> None:
    assert len(LIMITS) > 1
    assert len({each.variable for each in LIMITS}) == len(LIMITS)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.variable)
def test_the_docs_list_each_bound(limit: Limit) -> None:
    page = (Path(__file__).parents[2] / "docs/guarantees.md").read_text(encoding="utf-8")
    assert f"| `{limit.variable}` | {limit.default:,} {limit.unit} |" in page
