"""Protocols select whom they say as probes and gallery, or refuse to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gait.config.dataset import Dataset
from gait.config.protocol import matches
from gait.errors import DataError
from tests.unit.retrievals import embed, protocol, records, scored


def test_patterns_match_whole_names_in_their_case() -> None:
    rows = [
        ("1", "NM", "a"),
        ("1", "nm", "b"),
        ("1", "xnm", "a"),
        ("2", "nm", "a"),
        ("2", "nm", "c"),
    ]
    chosen = protocol(
        gallery={"condition": ["n?"], "view": ["[ab]"]},
        probes={"P": {"condition": ["NM", "xn*"]}},
        cells="pooled",
    )
    summary = scored(rows, embed(rows), chosen).probes["P"].summary
    assert (summary.n_gallery, summary.n_probe) == (2, 2)


@pytest.mark.parametrize(
    ("patterns", "selected"),
    [
        (None, "ab0 ab1 b0"),
        (["a*"], "ab0 ab1"),
        (["a*", "!*0"], "ab1"),
        (["!*0"], "ab1"),
        (["!a*", "!b*"], ""),
        ([], ""),
    ],
)
def test_patterns_may_leave_out(patterns: list[str] | None, selected: str) -> None:
    assert [each for each in ("ab0", "ab1", "b0") if matches(each, patterns)] == selected.split()


def test_subjects_may_be_selected_too() -> None:
    chosen = protocol(probes={"some": {"subject": ["00[12]"], "condition": ["nm-03"]}})
    assert scored(records(), embed(records()), chosen).probes["some"].summary.n_probe == 6


def test_listed_sequences_are_probes_and_the_others_gallery() -> None:
    rows = records(3)
    listed = ["000/nm-03/045", "001/bg-01/000", "002/bg-01/180"]
    chosen = protocol(
        gallery={},
        probes={"all": {"sequences": " ".join(listed)}},
        shared="probe",
        cells="pooled",
        exclude="none",
    )
    row = scored(rows, embed(rows), chosen).probes["all"]
    assert (row.summary.n_probe, row.summary.n_gallery) == (2, len(rows) - 2)
    assert row.note == "1 of the 3 sequences listed for the probes are not there: 002/bg-01/180"
    other = protocol(
        gallery={"sequences": listed[:2]}, probes={"all": {}}, shared="gallery", exclude="none"
    )
    row = scored(rows, embed(rows), other).probes["all"]
    assert (row.summary.n_probe, row.summary.n_gallery) == (len(rows) - 2, 2)
    assert "34 of 34 probes lack a sequence of their subject in some view" in row.note


def test_a_part_of_the_view_s_name_may_stand_for_it() -> None:
    rows = records(views=("c1_0", "c1_1", "c2_0", "c2_1"))
    embeddings = embed(rows)
    renamed = [(subject, condition, view[:2]) for subject, condition, view in rows]
    for cells, exclude in (("view_pair", "identical_view"), ("pooled", "same_subject_view")):
        kind = {"cells": cells, "exclude": exclude}
        got = scored(rows, embeddings, protocol(view_part="[^_]*", **kind))
        assert got == scored(renamed, embeddings, protocol(**kind))
        assert got != scored(rows, embeddings, protocol(**kind))


def test_probes_may_have_a_gallery_of_their_own() -> None:
    rows = records()
    embeddings = embed(rows)
    probes = {"NM": {"condition": ["nm-03"]}, "BG": {"condition": ["bg-*"]}}
    galleries = {"NM": {"condition": ["nm-01"]}, "BG": {"condition": ["nm-02", "nm-03"]}}
    both = scored(
        rows,
        embeddings,
        protocol(
            gallery=None,
            probes={name: probes[name] | {"gallery": galleries[name]} for name in probes},
        ),
        bootstrap=30,
    )
    alone = {
        name: scored(
            rows, embeddings, protocol(gallery=galleries[name], probes={name: probes[name]})
        )
        for name in probes
    }
    for name, each in alone.items():
        assert both.probes[name].cells == each.probes[name].cells
        assert both.probes[name].cmc_pct == each.probes[name].cmc_pct
    means = [each.mean.rank_pct[1] for each in alone.values()]
    assert both.mean.rank_pct[1] == pytest.approx(np.mean(means))
    # nm-03 is probe and gallery, of different rows.
    assert (both.mean.n_probe, both.mean.n_gallery) == (36, 54)


def test_a_gallery_nobody_needs_may_be_absent() -> None:
    rows = [row for row in records() if row[1] != "bg-01"]
    probes = {"NM": {"condition": ["nm-03"]}, "BG": {"condition": ["bg-*"]}}
    probes["BG"] |= {"gallery": {"condition": ["cl-*"]}}
    result = scored(rows, embed(rows), protocol(probes=probes))
    assert result.probes["BG"].note == "no sequence with condition bg-*"
    assert result.probes["BG"].summary.rank_pct[1] is None
    assert result.mean.rank_pct[1] is None
    rows = records()
    with pytest.raises(DataError, match=r"is of the gallery \(condition cl-\*\)"):
        scored(rows, embed(rows), protocol(probes=probes))


def test_what_is_missing_is_named_with_what_is_there() -> None:
    rows = records()
    with pytest.raises(
        DataError, match=r"gallery \(condition zz\); there are the conditions bg-01, n"
    ):
        scored(rows, embed(rows), protocol(gallery={"condition": ["zz"]}))
    with pytest.raises(DataError, match=r"probes \(view 180\).*the views 000, 045, 090"):
        scored(rows, embed(rows), protocol(probes={"X": {"view": ["180"]}}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exclude": "same_subject_view"}, "identical_view or none"),
        ({"probes": {"mean": {}}}, "choose another name"),
        ({"probes": {}}, "at least 1"),
        ({"gallery": None}, "probes: NM has no gallery"),
        ({"probes": {"NM": {"gallery": {}}}}, "remove the protocol's"),
        ({"view_part": "["}, "not a regular expression"),
        ({"gallery": {"sequences": ["001/nm-01"]}}, "'001/nm-01' is neither"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        protocol(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"protocols": {"../p": protocol()}}, r"'\.\./p' of a protocol must match"),
        ({"published": [{"protocol": "q", "rank1_pct": {"nm": 1.0}}]}, "no protocol is named q"),
        ({"published": [{"protocol": "p", "rank1_pct": {"nm": 1.0}}]}, "p has no probe nm"),
        ({"categories": {"only": {}}}, "at least 2"),
    ],
)
def test_a_dataset_names_its_own_protocols_and_probes(
    changes: dict[str, Any], sentence: str
) -> None:
    for each in changes.get("published", []):
        each |= {"model": "GaitSet", "table": "authors", "source": "a paper"}
    whole: dict[str, Any] = dict.fromkeys(("name", "title", "licence", "obtain"), "toy")
    whole |= {
        "layouts": [],
        "partition": {"train": [], "test": []},
        "protocols": {"p": protocol()},
    }
    with pytest.raises(ValidationError, match=sentence):
        Dataset(**whole | changes)


def test_lists_of_the_partition_stand_in_the_protocols() -> None:
    whole: dict[str, Any] = dict.fromkeys(("name", "title", "licence", "obtain"), "toy")
    whole |= {"layouts": [], "protocols": {"p": protocol(probes={"all": {"sequences": ["some"]}})}}
    lists = {"some": "1/a/b 2/a/b"}
    dataset = Dataset(**whole, partition={"train": [], "test": [], "sequences": lists})
    assert dataset.protocols["p"].probes["all"].sequences == ["1/a/b", "2/a/b"]
    dumped = dataset.model_dump(mode="json")
    assert dumped["protocols"]["p"]["probes"]["all"]["sequences"] == lists["some"]
    assert dumped["partition"]["sequences"] == {}
    assert Dataset.model_validate(dumped) == dataset
    with pytest.raises(ValidationError, match="no list of sequences 'some'; did you mean 'same'"):
        Dataset(**whole, partition={"train": [], "test": [], "sequences": {"same": "1/a/b"}})
