"""Protocols compare each probe as they say, and average what there is."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Retrieval
from gait.errors import DataError
from gait.evaluation import distance as distance_module
from gait.evaluation.distance import part_distance
from gait.evaluation.results import Cells, Summary
from tests.unit.retrievals import Records, embed, protocol, records, scored


def slow(rows: Records, embeddings: np.ndarray, chosen: Retrieval, probe: str) -> dict[str, Any]:
    """Rank-1, rank-5, mAP and mINP of one row, sequence by sequence."""
    distance = part_distance(embeddings, embeddings)
    asked = {"NM": ["nm-03"], "BG": ["bg-01"]}[probe]
    probes = [i for i, row in enumerate(rows) if row[1] in asked]
    gallery = [j for j, row in enumerate(rows) if row[1] in ("nm-01", "nm-02")]
    views = sorted({row[2] for row in rows})
    pairs = {
        "view_pair": list(product(views, views)),
        "probe_view": [(view, None) for view in views],
        "pooled": [(None, None)],
    }[chosen.cells]
    lines: dict[Any, list[list[float]]] = {}
    cells: dict[Any, dict[str, Any]] = {}
    met: dict[int, bool] = {}
    for probe_view, gallery_view in pairs:
        if probe_view not in {None, *(rows[i][2] for i in probes)}:
            continue
        cell = []
        compared = matched = 0
        for i in probes:
            if probe_view not in (None, rows[i][2]):
                continue
            shown = []
            for j in gallery:
                same_view = rows[i][2] == rows[j][2]
                out = {
                    "none": i == j,
                    "identical_view": same_view,
                    "same_subject_view": same_view and rows[i][0] == rows[j][0],
                }[chosen.exclude]
                if not out and gallery_view in (None, rows[j][2]):
                    shown.append(j)
            if not shown:
                continue
            order = sorted(shown, key=lambda j, i=i: (distance[i, j], j))
            places = [p for p, j in enumerate(order, 1) if rows[j][0] == rows[i][0]]
            met[i] = met.get(i, False) or bool(places)
            compared, matched = compared + 1, matched + bool(places)
            if places:
                precision = np.mean([n / p for n, p in enumerate(places, 1)])
                cell.append([places[0] <= 1, places[0] <= 5, precision, len(places) / places[-1]])
            elif chosen.unmatched == "miss":
                cell.append([0, 0, np.nan, np.nan])
        cells[probe_view, gallery_view] = {
            "n_probe": compared,
            "n_unmatched": compared - matched,
            "n_gallery": sum(gallery_view in (None, rows[j][2]) for j in gallery),
            "values": [None] * 3,
        }
        if cell:
            kept = [column[~np.isnan(column)] for column in np.array(cell, float).T]
            values = np.array([column.mean() if len(column) else np.nan for column in kept])
            if chosen.round_cells is not None:
                values = np.round(values * 100, chosen.round_cells) / 100
            lines.setdefault(probe_view, []).append(list(values))
            cells[probe_view, gallery_view]["values"] = [
                None if np.isnan(values[column]) else 100 * values[column] for column in (0, 2, 3)
            ]

    def mean(column: int) -> float:
        kept = [
            [cell[column] for cell in line if not np.isnan(cell[column])]
            for line in lines.values()
        ]
        return float(np.mean([np.mean(line) for line in kept if line])) * 100

    means = dict(zip(["rank1", "rank5", "map", "minp"], map(mean, range(4)), strict=True))
    counts = {
        "n_unmatched": list(met.values()).count(False),
        "n_not_compared": len(probes) - len(met),
    }
    return {**means, **counts, "cells": cells}


CELLS = ["view_pair", "probe_view", "pooled"]
EXCLUDE = ["identical_view", "same_subject_view", "none"]


@pytest.mark.parametrize(
    ("cells", "exclude"),
    [pair for pair in product(CELLS, EXCLUDE) if pair != ("view_pair", "same_subject_view")],
)
@pytest.mark.parametrize("unmatched", ["miss", "skip"])
@pytest.mark.parametrize("round_cells", [None, 1])
def test_equals_a_slow_walk(
    cells: str, exclude: str, unmatched: str, round_cells: int | None
) -> None:
    rows = records()
    # Holes: a subject without gallery, one with a single gallery view, a view without probes.
    rows = [row for row in rows if not (row[0] == "002" and row[1] in ("nm-01", "nm-02"))]
    rows = [
        row for row in rows if not (row[0] == "003" and row[1][:2] == "nm" and row[2] != "045")
    ]
    rows = [row for row in rows if not (row[1] == "bg-01" and row[2] == "090")]
    # And galleries of three sizes.
    rows.remove(("004", "nm-01", "090"))
    embeddings = embed(rows)
    chosen = protocol(cells=cells, exclude=exclude, unmatched=unmatched, round_cells=round_cells)
    result = scored(rows, embeddings, chosen)
    references = {probe: slow(rows, embeddings, chosen, probe) for probe in ("NM", "BG")}
    for probe, reference in references.items():
        cells = reference.pop("cells")
        assert reference["n_unmatched"], "the case needs unmatched probes"
        assert figures(result.probes[probe].summary) == pytest.approx(reference, abs=1e-9)
        found = cells_of(result.probes[probe].cells)
        if chosen.cells == "view_pair":
            assert found.keys() == cells.keys()
        for key, cell in zip(cells, found.values(), strict=True):
            assert cell.pop("values") == pytest.approx(cells[key].pop("values"), abs=1e-9)
            assert cell == cells[key]
    # Means over rows of figures, sums over rows of probes, as none of these is in both.
    both = list(references.values())
    expected = {name: sum(each[name] for each in both) for name in both[0]}
    for name in ("rank1", "rank5", "map", "minp"):
        expected[name] /= 2
    assert figures(result.mean) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("cells", CELLS)
def test_probes_that_nothing_is_compared_with_are_counted(cells: str) -> None:
    rows = [row for row in records() if row[1] not in ("nm-01", "nm-02") or row[2] == "000"]
    result = scored(rows, embed(rows), protocol(cells=cells))
    # Their own view is all that the gallery has; six subjects of the normal row and of the bag's.
    assert [each.summary.n_not_compared for each in result.probes.values()] == [6, 6]
    assert (result.mean.n_not_compared, result.mean.n_unmatched) == (12, 0)
    assert (result.mean.n_probe, result.mean.n_gallery) == (36, 12)


def figures(summary: Summary) -> dict[str, Any]:
    return {
        "rank1": summary.rank_pct[1],
        "rank5": summary.rank_pct[5],
        "map": summary.map_pct,
        "minp": summary.minp_pct,
        "n_unmatched": summary.n_unmatched,
        "n_not_compared": summary.n_not_compared,
    }


def cells_of(cells: Cells) -> dict[Any, dict[str, Any]]:
    """The figures and counts of each pair of views."""
    return {
        (probe_view, gallery_view): {
            "values": list(values),
            "n_probe": n_probe,
            "n_gallery": n_gallery,
            "n_unmatched": n_unmatched,
        }
        for probe_view, gallery_view, *values, n_probe, n_gallery, n_unmatched in zip(
            cells.probe_view,
            cells.gallery_view,
            cells.rank1_pct,
            cells.map_pct,
            cells.minp_pct,
            cells.n_probe,
            cells.n_gallery,
            cells.n_unmatched,
            strict=True,
        )
    }


def test_the_mean_s_interval_is_that_of_the_mean_of_its_rows() -> None:
    rows = records()
    # Without noise, a probe in normal clothing always meets its subject.
    sure, unsure = embed(rows, noise=0.0), embed(rows, noise=2.0)
    is_bag = np.array([row[1].startswith("bg") for row in rows])
    embeddings = np.where(is_bag[:, None, None], unsure, sure)
    result = scored(rows, embeddings, protocol(), bootstrap=200)
    normal, bag = (result.probes[each].summary.rank1_ci_pct for each in ("NM", "BG"))
    assert normal == (100.0, 100.0) and bag is not None and bag[0] < bag[1]
    assert result.mean.rank1_ci_pct == pytest.approx([(100 + each) / 2 for each in bag])


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("exclude", ["identical_view", "none"])
def test_ties_rank_in_the_order_of_the_embeddings(cells: str, exclude: str) -> None:
    rows = records()
    generator = np.random.default_rng(4)
    # Whole numbers on a line: distances are exact, and many are equal.
    embeddings = generator.integers(0, 4, (len(rows), 1, 1)).astype(np.float32)
    chosen = protocol(cells=cells, exclude=exclude)
    result = scored(rows, embeddings, chosen)
    for probe in ("NM", "BG"):
        summary = result.probes[probe].summary
        reference = slow(rows, embeddings, chosen, probe)
        assert summary.rank_pct == pytest.approx({1: reference["rank1"], 5: reference["rank5"]})
        assert summary.map_pct == pytest.approx(reference["map"])
        assert summary.minp_pct == pytest.approx(reference["minp"])


@pytest.mark.parametrize("cells", CELLS)
def test_a_view_without_gallery_takes_no_part(cells: str) -> None:
    rows = [row for row in records() if row[1] not in ("nm-01", "nm-02") or row[2] != "045"]
    chosen = protocol(cells=cells)
    result = scored(rows, embed(rows), chosen)
    if cells == "view_pair":
        assert set(result.probes["NM"].cells.gallery_view) == {"000", "090"}
    for probe in ("NM", "BG"):
        reference = slow(rows, embed(rows), chosen, probe)
        assert result.probes[probe].summary.rank_pct[1] == pytest.approx(reference["rank1"])
        assert result.probes[probe].summary.map_pct == pytest.approx(reference["map"])


@pytest.mark.parametrize(("unmatched", "rank1"), [("miss", 0.0), ("skip", None)])
def test_of_one_view_only_strangers_are_left_without_one_s_own_view(
    unmatched: str, rank1: float | None
) -> None:
    rows = records(views=("000",))
    chosen = protocol(cells="pooled", exclude="same_subject_view", unmatched=unmatched)
    result = scored(rows, embed(rows), chosen, bootstrap=10)
    row = result.probes["NM"]
    assert row.summary.rank_pct == {1: rank1, 5: rank1}
    assert (row.summary.map_pct, row.summary.minp_pct) == (None, None)
    assert (row.summary.n_unmatched, row.summary.n_not_compared) == (6, 0)
    assert row.summary.rank1_ci_pct == (None if rank1 is None else (0.0, 0.0))
    assert row.cells.rank1_pct == [rank1] and row.cells.map_pct == [None]
    assert len(row.cmc_pct) == (0 if rank1 is None else 20)
    assert result.mean.rank_pct[1] == rank1


def test_blocks_of_probes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = records()
    whole = scored(rows, embed(rows), protocol(), bootstrap=50)
    monkeypatch.setattr(distance_module, "_MOST_PROBES", 5)
    assert scored(rows, embed(rows), protocol(), bootstrap=50) == whole


def test_empty_cells_are_none_and_spread_nowhere() -> None:
    rows = [row for row in records() if not (row[1] == "nm-03" and row[2] == "045")]
    cells = scored(rows, embed(rows), protocol()).probes["NM"].cells
    by_pair = dict(
        zip(zip(cells.probe_view, cells.gallery_view, strict=True), cells.rank1_pct, strict=True)
    )
    assert {view for view, _ in by_pair} == {"000", "090"}
    assert by_pair["000", "000"] is None and by_pair["000", "045"] is not None
    summary = scored(rows, embed(rows), protocol()).probes["NM"].summary
    assert summary.rank_pct[1] is not None and summary.n_probe == 12


def test_a_row_without_sequences_is_empty_and_says_so() -> None:
    rows = [row for row in records() if row[1] != "bg-01"]
    result = scored(rows, embed(rows), protocol(), bootstrap=10)
    empty = result.probes["BG"]
    assert empty.summary.rank_pct == {1: None, 5: None}
    assert (empty.summary.n_probe, empty.summary.rank1_ci_pct, empty.cmc_pct) == (0, None, [])
    assert empty.note == "no sequence with condition bg-*"
    assert result.probes["NM"].summary.rank_pct[1] is not None
    assert result.mean.rank_pct[1] is None, "a mean of fewer rows is another figure"


def test_a_gallery_smaller_than_the_rank_is_searched_whole() -> None:
    rows = records(subjects=2, views=("000", "090"))
    result = scored(rows, embed(rows, noise=9.0), protocol(ranks=[1, 10]))
    assert result.probes["NM"].summary.rank_pct[10] == 100.0


def test_an_unmatched_probe_misses_or_is_skipped() -> None:
    rows = [("001", "nm-01", "000"), ("001", "nm-03", "090"), ("002", "nm-03", "090")]
    embeddings = embed(rows)
    chosen = {"probes": {"NM": {"condition": ["nm-03"]}}}
    for policy, expected in (("miss", 50.0), ("skip", 100.0)):
        summary = (
            scored(rows, embeddings, protocol(unmatched=policy, **chosen)).probes["NM"].summary
        )
        assert (summary.rank_pct[1], summary.n_unmatched) == (expected, 1)
        assert (summary.map_pct, summary.minp_pct) == (100.0, 100.0)


def test_one_view_with_identical_views_excluded_is_refused() -> None:
    rows = records(views=("000",))
    with pytest.raises(DataError, match="the one view 000; set exclude: none"):
        scored(rows, embed(rows), protocol())
    result = scored(rows, embed(rows), protocol(exclude="none"))
    assert result.probes["NM"].cells.n_probe == [6]


def test_a_sequence_never_meets_itself() -> None:
    rows = [("001", "nm-01", "000"), ("001", "nm-02", "000"), ("002", "nm-01", "000")]
    embeddings = np.zeros((3, 2, 1), np.float32)
    chosen = protocol(gallery={}, probes={"all": {}}, cells="pooled", exclude="none")
    summary = scored(rows, embeddings, chosen).probes["all"].summary
    # All distances tie: the first probe meets 1, 2; the second 0, 2; the third has no match.
    assert summary.rank_pct[1] == pytest.approx(200 / 3)
    assert (summary.n_probe, summary.n_gallery, summary.n_unmatched) == (3, 3, 1)
