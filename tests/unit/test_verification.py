"""Equal error rates and acceptance rates are those of a threshold tried at every distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Retrieval, Verification
from gait.evaluation import score_embeddings, verification
from gait.evaluation.distance import part_distance
from gait.evaluation.verification import VerificationScore
from tests.unit.scores import a_protocol, arrays

Given = dict[str, np.ndarray]


def scored(given: Given, of: Retrieval, **options: Any) -> VerificationScore:
    chosen = Verification(kind="verification", title="pairs", of=of)
    result = score_embeddings(*given.values(), {"it": chosen}, **options)["it"]
    assert isinstance(result, VerificationScore)
    return result


def pooled(exclude: str = "none", **changes: Any) -> Retrieval:
    return a_protocol("pooled", exclude).model_copy(update=changes)


def population(subjects: int, each: int, noise: float, decimals: int | None = None) -> Given:
    """Half of the sequences of each subject are gallery, half are probes."""
    generator = np.random.default_rng(subjects)
    subject = np.repeat([f"{number:04d}" for number in range(subjects)], 2 * each)
    centres = np.repeat(generator.standard_normal((subjects, 3, 2)), 2 * each, axis=0)
    cloud = noise * generator.standard_normal((len(subject), 3, 2))
    embeddings = centres + cloud
    if decimals is not None:
        embeddings = np.round(embeddings, decimals)
    return {
        "embeddings": embeddings.astype(np.float32),
        "subject": subject,
        "condition": np.tile(["nm-01", "nm-02"], len(subject) // 2),
        "view": np.tile(np.repeat([f"{number:03d}" for number in range(each)], 2), subjects),
    }


def slow(given: Given, of: Retrieval, probe: str) -> dict[str, Any]:
    """Every pair one by one, then every distance as a threshold."""
    condition = {"NM": "nm-02", "CL": "cl-01"}[probe]
    rows = np.flatnonzero(given["condition"] == condition)
    gallery = np.flatnonzero(given["condition"] == "nm-01")
    distance = part_distance(given["embeddings"][rows], given["embeddings"][gallery])
    genuine, impostor = [], []
    for i, row in enumerate(rows):
        for j, column in enumerate(gallery):
            same = given["subject"][row] == given["subject"][column]
            same_view = given["view"][row] == given["view"][column]
            if of.exclude == "identical_view" and same_view:
                continue
            if of.exclude == "same_subject_view" and same_view and same:
                continue
            (genuine if same else impostor).append(distance[i, j])
    false_accept, false_reject = [0.0], [1.0]
    tar = {"1e-2": 0.0, "1e-3": 0.0, "1e-4": 0.0}
    for threshold in np.unique(genuine + impostor):
        far = np.mean(np.array(impostor) <= threshold)
        accepted = np.mean(np.array(genuine) <= threshold)
        false_accept.append(far)
        false_reject.append(1 - accepted)
        for name in tar:
            if far <= float(name):
                tar[name] = 100 * accepted
    step = next(i for i in range(len(false_accept)) if false_accept[i] >= false_reject[i])
    before, after = (false_accept[i] - false_reject[i] for i in (step - 1, step))
    share = before / (before - after)
    eer = false_accept[step - 1] + share * (false_accept[step] - false_accept[step - 1])
    enough = {name: len(impostor) * float(name) >= 1 for name in tar}
    return {
        "eer": 100 * eer,
        "tar": {name: value if enough[name] else None for name, value in tar.items()},
        "counts": (len(genuine), len(impostor)),
    }


@pytest.mark.parametrize("exclude", ["none", "identical_view", "same_subject_view"])
@pytest.mark.parametrize("decimals", [None, 0])
def test_figures_equal_a_slow_count(exclude: str, decimals: int | None) -> None:
    given = population(11, 3, 0.6, decimals)
    of = pooled(exclude, probes={"NM": a_protocol().probes["NM"]})
    summary = scored(given, of).probes["NM"].summary
    reference = slow(given, of, "NM")
    assert (summary.n_genuine, summary.n_impostor) == reference["counts"]
    assert summary.eer_pct == pytest.approx(reference["eer"], abs=1e-9)
    assert summary.tar_pct == pytest.approx(reference["tar"], abs=1e-9)


def test_distances_that_are_almost_alike_are_told_apart() -> None:
    # All within a hundredth, so that the first half of their bits says next to nothing.
    given = population(11, 6, 3.0)
    given["embeddings"][given["condition"] == "nm-02", 0] += 1000
    of = pooled(probes={"NM": a_protocol().probes["NM"]})
    summary, reference = scored(given, of).probes["NM"].summary, slow(given, of, "NM")
    assert summary.eer_pct == pytest.approx(reference["eer"], abs=1e-9)
    assert summary.tar_pct == pytest.approx(reference["tar"], abs=1e-9)
    assert 0 < reference["tar"]["1e-2"] < 100


def test_blocks_change_nothing_and_rare_false_acceptances_need_many_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = population(60, 2, 0.35)
    of = pooled(probes={"NM": a_protocol().probes["NM"]})
    whole = scored(given, of)
    summary = whole.probes["NM"].summary
    assert summary.n_impostor == 120 * 118
    assert all(value is not None for value in summary.tar_pct.values())
    stated = slow(given, of, "NM")
    assert summary.tar_pct == pytest.approx(stated["tar"], abs=1e-9)
    assert summary.eer_pct == pytest.approx(stated["eer"], abs=1e-9)
    views = {view: {"condition": ["nm-02"], "view": [view]} for view in ("000", "001")}
    both = scored(given, Retrieval.model_validate(pooled().model_dump() | {"probes": views}))
    one, other = (each.summary.tar_pct for each in both.probes.values())
    for far in ("1e-2", "1e-3"):
        assert one[far] != other[far]
        assert both.mean.tar_pct[far] == pytest.approx((one[far] + other[far]) / 2)
    assert both.mean.tar_pct["1e-2"] != both.mean.tar_pct["1e-3"]
    monkeypatch.setattr(verification, "_PAIRS_AT_ONCE", 500)
    assert scored(given, of) == whole
    few = {name: values[: 2 * 4 * 4] for name, values in given.items()}
    small = scored(few, of).probes["NM"].summary
    assert small.n_impostor == 16 * 14
    # Fewer pairs at once than a probe has.
    monkeypatch.setattr(verification, "_PAIRS_AT_ONCE", 1)
    assert scored(few, of).probes["NM"].summary == small
    assert small.tar_pct["1e-2"] is not None
    assert small.tar_pct["1e-3"] is None is small.tar_pct["1e-4"]


def test_by_hand() -> None:
    # Pairs of one subject at 0, 1 and 4, of two at 3, 5, 6, ...: at 3, one in three is wrong.
    given = {
        "embeddings": np.array([0, 0, 1, 4, 3, 5, 6], np.float32).reshape(-1, 1, 1),
        "subject": np.array(["a"] * 4 + ["b"] * 3),
        "condition": np.array(["nm-02"] + ["nm-01"] * 6),
        "view": np.array([str(number) for number in range(7)]),
    }
    summary = scored(given, pooled()).probes["NM"].summary
    assert (summary.n_genuine, summary.n_impostor) == (3, 3)
    assert summary.eer_pct == pytest.approx(100 / 3)
    assert set(summary.tar_pct.values()) == {None}


@pytest.mark.parametrize(("apart", "expected"), [(True, 0.0), (False, 50.0)])
def test_perfect_and_useless_distances(apart: bool, expected: float) -> None:
    given = population(5, 2, 0.0)
    if not apart:
        given["embeddings"] = np.ones_like(given["embeddings"])
    of = pooled(probes={"NM": a_protocol().probes["NM"]})
    summary = scored(given, of).probes["NM"].summary
    assert summary.eer_pct == pytest.approx(expected)
    assert summary.tar_pct["1e-2"] is None, "80 pairs are too few"
    assert np.isfinite(summary.eer_pct or 0)


def test_rows_without_pairs_are_empty_and_so_is_their_mean() -> None:
    given = arrays()
    full = scored(given, pooled())
    assert full.mean.eer_pct == pytest.approx(
        np.mean([each.summary.eer_pct for each in full.probes.values()])
    )
    assert full.mean.n_probe == 48 and full.mean.n_gallery == 24
    kept = given["condition"] != "cl-01"
    result = scored({name: values[kept] for name, values in given.items()}, pooled())
    assert result.probes["CL"].summary.eer_pct is None
    assert result.probes["CL"].note == "no sequence with condition cl-*"
    assert result.probes["NM"].summary.eer_pct is not None
    assert result.mean.eer_pct is None
    alone = given["subject"] == "000"
    result = scored({name: values[alone] for name, values in given.items()}, pooled())
    assert (result.mean.eer_pct, result.mean.n_impostor) == (None, 0)


def test_of_one_view_only_pairs_of_two_subjects_may_be_left() -> None:
    given = population(5, 1, 0.3)
    of = pooled("same_subject_view", probes={"NM": a_protocol().probes["NM"]})
    summary = scored(given, of).probes["NM"].summary
    assert (summary.n_genuine, summary.n_impostor) == (0, 20)
    assert summary.eer_pct is None and set(summary.tar_pct.values()) == {None}


def test_the_cosine_distance_below_zero_by_rounding() -> None:
    given = population(9, 2, 0.0)
    of = pooled(probes={"NM": a_protocol().probes["NM"]})
    assert scored(given, of, distance="cosine").mean.eer_pct == 0
