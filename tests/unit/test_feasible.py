"""What cannot be scored, or not be whole, is known from the sequences that are there."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Classification, Protocol, Retrieval, Submission, Verification
from gait.evaluation import score_embeddings
from gait.evaluation.feasible import Feasible, feasible
from gait.types import SequenceKey

SUBJECTS = ["a", "b", "c", "d"]
CONDITIONS = ["nm-01", "nm-02"]
VIEWS = ["000", "045", "090"]


def keys(
    subjects: list[str] = SUBJECTS,
    conditions: list[str] = CONDITIONS,
    views: list[str] = VIEWS,
) -> list[SequenceKey]:
    return [SequenceKey(*each) for each in product(subjects, conditions, views)]


def protocol(**changes: Any) -> Retrieval:
    base: dict[str, Any] = {
        "title": "a protocol",
        "gallery": {"condition": ["nm-01"]},
        "probes": {"NM": {"condition": ["nm-02"]}},
        "cells": "view_pair",
        "exclude": "identical_view",
    }
    return Retrieval(**base | changes)


def known(chosen: Protocol, there: list[SequenceKey]) -> Feasible:
    return feasible({"it": chosen}, there)["it"]


def rank1(chosen: Retrieval, there: list[SequenceKey]) -> tuple[float | None, str]:
    """What perfect embeddings get, and what the table notes."""
    names = sorted({key.subject for key in there})
    embeddings = np.eye(len(names), dtype=np.float32)[[names.index(key.subject) for key in there]]
    columns = [np.array(column) for column in zip(*there, strict=True)]
    row = score_embeddings(embeddings[:, :, np.newaxis], *columns, {"it": chosen})["it"]
    return row.probes["NM"].summary.rank_pct[1], row.probes["NM"].note


CELLS = [
    ("view_pair", "identical_view"),
    ("view_pair", "none"),
    ("probe_view", "same_subject_view"),
    ("pooled", "same_subject_view"),
    ("pooled", "identical_view"),
    ("pooled", "none"),
]


@pytest.mark.parametrize(("cells", "exclude"), CELLS)
def test_of_a_whole_dataset_nothing_is_said(cells: str, exclude: str) -> None:
    chosen = protocol(cells=cells, exclude=exclude)
    assert known(chosen, keys()) == Feasible()
    assert rank1(chosen, keys()) == (pytest.approx(100), "")


@pytest.mark.parametrize(
    ("cells", "exclude"), [each for each in CELLS if each[1] != "none"], ids=str
)
def test_one_view_whose_own_view_is_left_out_cannot_be_scored(cells: str, exclude: str) -> None:
    found = known(protocol(cells=cells, exclude=exclude), keys(views=["090"]))
    assert f"protocol it: exclude: {exclude} leaves n" in found.problem
    assert "dataset.yaml" in found.problem and "\n" not in found.problem


def test_an_empty_test_side_cannot_be_scored() -> None:
    assert "none of the test subjects is there" in known(protocol(), []).problem
    assert "is of the gallery" in known(protocol(), keys(conditions=["nm-02"])).problem
    assert "is of the probes" in known(protocol(), keys(conditions=["nm-01"])).problem


def test_strangers_only_cannot_be_scored() -> None:
    there = keys(["a"], ["nm-01"]) + keys(["b"], ["nm-02"])
    assert "no probe a sequence of its own subject" in known(protocol(), there).problem


@pytest.mark.parametrize(("cells", "exclude"), CELLS)
@pytest.mark.parametrize(
    "lost", [("a", "nm-01", "000"), ("a", "nm-01", None), (None, "nm-01", "000")]
)
@pytest.mark.parametrize("unmatched", ["miss", "skip"])
def test_the_bound_is_what_perfect_embeddings_get(
    cells: str, exclude: str, lost: tuple[str | None, ...], unmatched: str
) -> None:
    chosen = protocol(cells=cells, exclude=exclude, unmatched=unmatched)
    there = [
        key
        for key in keys()
        if not all(wish in (None, part) for wish, part in zip(lost, key, strict=True))
    ]
    best, note = rank1(chosen, there)
    assert best is not None
    assert known(chosen, there).notes.get("NM", "") == note
    if best < 99.999:
        assert f"rank-1 is at most {best:.2f} %" in note
    else:
        assert "at most" not in note
    if lost[0] is None and cells == "view_pair":
        assert "the gallery lacks the views 000" in note


def test_probes_that_are_compared_with_nothing_are_counted() -> None:
    there = keys(conditions=["nm-01"], views=["000"]) + keys(
        conditions=["nm-02"], views=["000", "090"]
    )
    found = known(protocol(cells="pooled"), there)
    assert found.problem == ""
    assert found.notes == {"NM": "4 of 8 probes are compared with nothing"}


def test_the_part_of_a_view_that_counts_is_what_is_looked_at() -> None:
    there = keys(views=["cam1-a", "cam1-b"])
    chosen = protocol(view_part="cam[0-9]+", cells="pooled", exclude="same_subject_view")
    assert known(chosen, there).problem
    assert not known(protocol(cells="pooled", exclude="same_subject_view"), there).problem


def test_pairs_take_one_subject_and_two() -> None:
    pairs = Verification(kind="verification", title="t", of=protocol(cells="pooled"))
    assert known(pairs, keys()) == Feasible()
    assert "no pair of two subjects" in known(pairs, keys(["a"])).problem
    strangers = keys(["a"], ["nm-01"]) + keys(["b"], ["nm-02"])
    assert "no pair of one subject" in known(pairs, strangers).problem
    assert "no pair of one subject nor of two" in known(pairs, keys(views=["000"])).problem


def test_categories_take_two() -> None:
    chosen = Classification(
        kind="classification",
        title="t",
        categories={"x": {"condition": ["nm-01"]}, "y": {"condition": ["nm-02"]}},
    )
    assert known(chosen, keys()) == Feasible()
    assert (
        "all test sequences are of the category x"
        in known(chosen, keys(conditions=["nm-01"])).problem
    )
    assert "one of the categories" in known(chosen, keys(conditions=["cl-01"])).problem


def test_a_submission_takes_names_of_its_own() -> None:
    chosen = Submission(
        kind="submission",
        title="t",
        gallery={"condition": ["nm-01"]},
        probes={"condition": ["nm-02"]},
        columns="video one",
        labels="number",
    )
    assert (
        "subjects of the gallery that are numbers, got 'a'"
        in known(chosen, [SequenceKey("a", "nm-01", "x"), SequenceKey("p", "nm-02", "y")]).problem
    )
    assert (
        "several probes are called x"
        in known(
            chosen, [SequenceKey("1", "nm-01", "x"), *keys(["p", "q"], ["nm-02"], ["x"])]
        ).problem
    )
