"""Scores reach `metrics.json` unrounded, with honest intervals, or a sentence says why not."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.protocol import Verification
from gait.errors import DataError
from gait.evaluation import score, score_embeddings
from gait.evaluation.bootstrap import interval, replicates
from gait.evaluation.cells import Grid
from gait.evaluation.embeddings import read_embeddings
from gait.formats.seal import seal_zip, sealed_json
from gait.report.experiment import report
from gait.report.metrics import read_metrics
from gait.report.tables import report_rows, view_rows
from tests.unit.scores import a_protocol, an_experiment, arrays, sealed_npz


def test_metrics_are_written_and_read_back(tmp_path: Path) -> None:
    sealed_npz(tmp_path / "embeddings.npz", **arrays())
    metrics = tmp_path / "metrics.json"
    score(an_experiment(), tmp_path / "embeddings.npz", metrics)
    read = read_metrics(metrics)
    assert (read.dataset, read.model, read.save_name) == ("Toy", "GaitSet", "paper")
    assert (read.iterations, read.seed, read.n_subjects) == (10, 4, 8)
    assert list(read.protocols) == ["single", "cross"]
    given = arrays()
    direct = score_embeddings(*given.values(), {"single": a_protocol()}, bootstrap=40, seed=4)[
        "single"
    ]
    summary = read.protocols["single"].probes["CL"].summary
    assert summary.model_dump() == {
        name: getattr(direct.probes["CL"].summary, name) for name in summary.model_dump()
    }
    low, high = summary.rank1_ci_pct or (0, 0)
    assert low < summary.rank_pct[1] < high  # type: ignore[operator]
    assert not list(tmp_path.glob(".*")), "no temporary file stays behind"


def test_the_same_embeddings_give_the_same_bytes(tmp_path: Path) -> None:
    sealed_npz(tmp_path / "a.npz", **arrays())
    sealed_npz(tmp_path / "b.npz", is_compressed=True, **arrays())
    texts = []
    for name in ("a", "b"):
        score(an_experiment(), tmp_path / f"{name}.npz", tmp_path / f"{name}.json")
        texts.append((tmp_path / f"{name}.json").read_bytes())
    assert texts[0] == texts[1]


def test_only_the_protocols_wanted_and_their_intervals_stay_the_same(tmp_path: Path) -> None:
    sealed_npz(tmp_path / "e.npz", **arrays())
    score(an_experiment(), tmp_path / "e.npz", tmp_path / "both.json")
    score(an_experiment(protocols=["cross"]), tmp_path / "e.npz", tmp_path / "one.json")
    both, one = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("both", "one"))
    assert list(one["protocols"]) == ["cross"]
    assert one["protocols"]["cross"] == both["protocols"]["cross"]


def test_nothing_that_is_missing_becomes_a_number(tmp_path: Path) -> None:
    given = arrays()
    # A subject without gallery, a view without probes of one row, a row without any sequence.
    gone = (given["subject"] == "001") & (given["condition"] == "nm-01")
    gone |= (given["view"] == "054") & (given["condition"] == "nm-02")
    gone |= np.char.startswith(given["condition"], "cl")
    sealed_npz(tmp_path / "e.npz", **{name: each[~gone] for name, each in given.items()})
    resolved = an_experiment()
    protocols = resolved.dataset.protocols | {
        "pairs": Verification(kind="verification", title="pairs", of=a_protocol())
    }
    dataset = resolved.dataset.model_copy(update={"protocols": protocols})
    resolved = resolved.model_copy(update={"dataset": dataset})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(resolved, tmp_path / "e.npz", tmp_path / "metrics.json")
    places = [tmp_path / name for name in ("report.csv", "views.csv", "figures")]
    report(resolved, tmp_path / "metrics.json", *places)
    text = (tmp_path / "metrics.json").read_text() + "".join(
        each.read_text() for each in places[:2]
    )
    assert not re.search(r"\b(nan|inf(inity)?|None)\b", text, re.IGNORECASE)
    tables = []
    for place in places[:2]:
        with place.open(encoding="utf-8", newline="") as file:
            tables.append(list(csv.DictReader(file)))
    rows = {(row["protocol"], row["probe"]): row for row in tables[0]}
    for name, figure in (("single", "rank1_pct"), ("cross", "map_pct"), ("pairs", "eer_pct")):
        assert rows[name, "NM"][figure], name
        assert rows[name, "CL"][figure] == "" and rows[name, "CL"]["n_probe"] == "0"
        assert "no sequence with condition cl-" in rows[name, "CL"]["note"]
        assert rows[name, "mean"][figure] == ""
    single = [row for row in tables[1] if (row["protocol"], row["probe"]) == ("single", "NM")]
    assert {row["probe_view"] for row in single} == {"000", "090"}
    for row in single:
        assert (row["rank1_pct"] == "") == (row["probe_view"] == row["gallery_view"])


def test_no_interval_without_resampling_or_with_one_subject() -> None:
    given = list(arrays().values())
    result = score_embeddings(*given, {"it": a_protocol()})["it"]
    assert result.probes["NM"].summary.rank1_ci_pct is None is result.mean.rank1_ci_pct
    first = [each[given[1] == "000"] for each in given]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = score_embeddings(*first, {"it": a_protocol()}, bootstrap=20)["it"]
    assert result.probes["NM"].summary.rank1_ci_pct is None


def test_replicates_equal_a_slow_resampling() -> None:
    generator = np.random.default_rng(0)
    probes = generator.integers(0, 3, (6, 2, 2))
    hits = generator.integers(0, probes + 1)
    nothing = np.zeros((1, 2, 2))
    flags = np.ones((2, 2), bool)
    counts = probes.sum(axis=0)
    grid = Grid(["a", "b"], nothing, nothing, nothing, flags, flags, counts, counts, hits, probes)
    values, valid = replicates({"it": grid}, 30, np.random.default_rng(5))["it"]
    shown = np.flatnonzero(probes.sum(axis=(1, 2)))
    weights = np.random.default_rng(5).multinomial(len(shown), [1 / len(shown)] * len(shown), 30)
    for value, there, draw in zip(values, valid, weights, strict=True):
        drawn = np.repeat(shown, draw)
        lines = []
        for v in range(2):
            cells = [
                hits[drawn, v, g].sum() / probes[drawn, v, g].sum() * 100
                for g in range(2)
                if probes[drawn, v, g].sum()
            ]
            lines += [np.mean(cells)] if cells else []
        assert there == bool(lines)
        assert value == pytest.approx(np.mean(lines))


def test_an_interval_holds_the_middle_of_the_replicates() -> None:
    values = np.arange(1001.0)
    valid = np.arange(1001) > 0
    assert interval(values, valid) == pytest.approx((25.975, 975.025))
    assert interval(values, valid & False) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"view": None}, "and not view; write it again"),
        ({"embeddings": np.zeros((3, 2), np.float32)}, r"got float32 \(3, 2\)"),
        ({"embeddings": np.zeros((72, 5, 2))}, r"got float64 \(72, 5, 2\)"),
        ({"embeddings": np.zeros((0, 5, 2), np.float32)}, r"got float32 \(0, 5, 2\)"),
        ({"view": np.array(["\ud800"] * 72)}, "names that are no text .*surrogates"),
        ({"subject": np.array(["000"])}, "for each of the 72 embeddings, got 1, 72, 72"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    given = {name: each for name, each in (arrays() | change).items() if each is not None}
    sealed_npz(tmp_path / "e.npz", **given)
    with pytest.raises(DataError, match=sentence):
        read_embeddings(tmp_path / "e.npz")


def test_a_value_that_is_not_finite_is_named(tmp_path: Path) -> None:
    given = arrays()
    given["embeddings"][5, 1, 1] = np.inf
    sealed_npz(tmp_path / "e.npz", **given)
    with pytest.raises(DataError, match=r"embedding of 000/nm-02/090 holds values"):
        score(an_experiment(), tmp_path / "e.npz", tmp_path / "metrics.json")
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "e.npz"
    if content is None:
        sealed_npz(path, **arrays())
        path.write_bytes(path.read_bytes()[:-300])
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match="write it again with gait embed"):
        read_embeddings(path)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    given = arrays() | {"subject": np.array([object()] * 72, dtype=object)}
    sealed_npz(tmp_path / "e.npz", **given)
    with pytest.raises(DataError, match="cannot be read"):
        read_embeddings(tmp_path / "e.npz")


def test_a_stored_archive_is_mapped_and_a_compressed_one_read(tmp_path: Path) -> None:
    sealed_npz(tmp_path / "a.npz", **arrays())
    sealed_npz(tmp_path / "b.npz", is_compressed=True, **arrays())
    stored, packed = (read_embeddings(tmp_path / f"{name}.npz") for name in "ab")
    assert not stored.embeddings.flags.writeable
    np.testing.assert_array_equal(stored.embeddings, packed.embeddings)
    np.testing.assert_array_equal(stored.embeddings, arrays()["embeddings"])


def test_every_flipped_bit_of_embeddings_and_metrics_is_noticed(tmp_path: Path) -> None:
    embeddings, metrics = tmp_path / "e.npz", tmp_path / "m.json"
    sealed_npz(embeddings, **arrays())
    score(an_experiment(), embeddings, metrics)
    readers: dict[Path, Callable[[Path], object]] = {
        embeddings: read_embeddings,
        metrics: read_metrics,
    }
    generator = random.Random(4)
    for path, read in readers.items():
        read(path)
        whole = path.read_bytes()
        for _ in range(400):
            damaged = bytearray(whole)
            position = generator.randrange(8 * len(whole))
            damaged[position // 8] ^= 1 << position % 8
            path.write_bytes(damaged)
            with pytest.raises(DataError, match=rf"{path.name}: .* again"):
                read(path)


def resealed(data: dict[str, Any], path: Path) -> None:
    path.write_text(sealed_json(data), encoding="utf-8")


def changed(data: Any, generator: random.Random) -> Any:
    """The same with one value, somewhere, of another kind or gone."""
    odd: list[Any] = [
        None,
        -1,
        1e308,
        "x",
        [],
        {},
        [[]],
        {"x": {}},
        True,
        10**400,
        "\0",
        [None] * 3,
    ]
    if isinstance(data, dict) and data and generator.random() < 0.95:
        key = generator.choice(list(data))
        if generator.random() < 0.15:
            return {name: each for name, each in data.items() if name != key}
        return data | {key: changed(data[key], generator)}
    if isinstance(data, list) and data and generator.random() < 0.7:
        place = generator.randrange(len(data))
        return [*data[:place], changed(data[place], generator), *data[place + 1 :]]
    return generator.choice(odd)


def test_metrics_of_another_form_end_in_tables_or_in_a_sentence(tmp_path: Path) -> None:
    sealed_npz(tmp_path / "e.npz", **arrays())
    resolved = an_experiment()
    pairs = Verification(kind="verification", title="pairs", of=a_protocol())
    dataset = resolved.dataset.model_copy(
        update={"protocols": resolved.dataset.protocols | {"pairs": pairs}}
    )
    score(
        resolved.model_copy(update={"dataset": dataset}), tmp_path / "e.npz", tmp_path / "m.json"
    )
    whole = json.loads((tmp_path / "m.json").read_text())
    del whole["sha256"]
    generator = random.Random(5)
    for _ in range(150):
        data = changed(whole, generator)
        if not isinstance(data, dict):
            continue
        resealed(data, tmp_path / "m.json")
        try:
            found = read_metrics(tmp_path / "m.json")
        except DataError as error:
            assert "m.json: " in str(error) and "run gait score again" in str(error)
            assert len(str(error)) < 1000
        else:
            report_rows(found, [])
            view_rows(found)


def test_members_that_claim_more_than_there_is_are_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    shape = (10**12, 2, 5)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        sealed_npz(tmp_path / "whole.npz", **arrays())
        path = tmp_path / "claims.npz"
        with (
            zipfile.ZipFile(tmp_path / "whole.npz") as given,
            zipfile.ZipFile(path, "w", compression) as made,
        ):
            for name in given.namelist():
                is_claimed = name == "embeddings.npy"
                made.writestr(name, header.getvalue() if is_claimed else given.read(name))
        seal_zip(path)
        with pytest.raises(DataError, match=r"claims.npz: .*bytes are there.*gait embed"):
            read_embeddings(path)
