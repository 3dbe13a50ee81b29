"""Figures are well-formed, complete, and the same for the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from gait.config.published import Published
from gait.errors import DataError
from gait.formats.seal import sealed_line
from gait.report.experiment import report
from gait.report.figures import draw
from gait.report.metrics import Metrics
from gait.report.tables import report_rows
from tests.unit.scores import an_experiment, arrays, metrics, probe, sealed_npz


def drawn(folder: Path, history: str | None = None, **changes: Any) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    read = Metrics.model_validate(metrics(**changes))
    if history is not None:
        (folder / "history.jsonl").write_text(history)
    draw(read, report_rows(read, []), folder / "history.jsonl", folder / "figures")
    return {path.name: path.read_bytes() for path in sorted((folder / "figures").iterdir())}


HISTORY = "".join(
    sealed_line(line)
    for line in (
        {"iteration": 0, "run": {"world": 1}},
        {"iteration": 10, "loss": 3.5, "losses": {"triplet": 0.5, "softmax": 3.0}, "lr": 0.1},
        {"iteration": 20, "loss": 2.4, "losses": {"triplet": 0.4, "softmax": 2.0}, "lr": 0.1},
        {"iteration": 20, "rank1_pct": {"single_view/NM": 50.0}},
    )
)


def test_every_figure_is_drawn_and_the_bytes_depend_on_the_numbers(tmp_path: Path) -> None:
    first = drawn(tmp_path / "a", HISTORY)
    assert list(first) == ["cmc.svg", "rank1.svg", "single_view-views.svg", "training.svg"]
    assert drawn(tmp_path / "b", HISTORY) == first
    other = drawn(tmp_path / "c", HISTORY, probes={"NM": probe(12.5), "CL": probe(70.125)})
    assert {name for name in first if first[name] != other[name]} == set(first) - {"training.svg"}
    for content in first.values():
        assert ElementTree.fromstring(content).tag.endswith("svg")
        assert b"http://" not in content.replace(b"http://www.w3.org/", b"").replace(
            b"http://purl.org/", b""
        ).replace(b"http://creativecommons.org/", b"")


def test_a_published_figure_is_drawn_with_whose_it_is(tmp_path: Path) -> None:
    read = Metrics.model_validate(metrics())
    figure = {"model": "GaitSet", "protocol": "single_view", "rank1_pct": {"NM": 95.0}}
    theirs = Published.model_validate(figure | {"table": "others", "source": "a page"})
    draw(read, report_rows(read, [theirs]), tmp_path / "history.jsonl", tmp_path)
    labelled = (tmp_path / "rank1.svg").read_text(encoding="utf-8")
    assert "<!-- published by others, another recipe -->" in labelled


def test_whatever_was_scored_while_training_has_its_panel(tmp_path: Path) -> None:
    scored = {"eer_pct": {"pairs/NM": 4.5}, "accuracy_pct": {"diagnosis": 80.0}}
    history = HISTORY + sealed_line({"iteration": 20, **scored})
    labelled = drawn(tmp_path, history)["training.svg"].decode()
    for title in ("loss", "rank-1", "equal error rate", "accuracy"):
        assert f"<!-- {title}" in labelled, title
    assert "<!-- mean intersection" not in labelled


def test_without_history_no_curve_and_a_stale_figure_goes(tmp_path: Path) -> None:
    assert "training.svg" in drawn(tmp_path, HISTORY)
    (tmp_path / "history.jsonl").unlink()
    (tmp_path / "figures" / "kept.txt").touch()
    assert set(drawn(tmp_path)) == {"cmc.svg", "rank1.svg", "single_view-views.svg", "kept.txt"}


def test_empty_rows_are_drawn_as_such(tmp_path: Path) -> None:
    probes = {"NM": probe(90.0), "CL": probe(None, "nothing")}
    assert "rank1.svg" in drawn(tmp_path, probes=probes)


def test_a_torn_history_is_named(tmp_path: Path) -> None:
    whole = sealed_line({"iteration": 1, "lr": 1.0})
    with pytest.raises(DataError, match=r"history\.jsonl:2: expected a line .*remove that line"):
        drawn(tmp_path, whole + '{"iter')
    with pytest.raises(DataError, match=r"history\.jsonl:2: .*differs from its checksum"):
        drawn(tmp_path, whole + whole.replace("1.0", "1.1"))


def test_names_are_drawn_as_they_are_and_not_without_end(tmp_path: Path) -> None:
    probes = {"$\\frac$": probe(50.0), "x" * 10**5: probe(50.0)}
    losses = {"$a$ $\\b$": 0.5, "y" * 10**5: 0.5}
    history = sealed_line({"iteration": 1, "loss": 1.0, "losses": losses})
    for content in drawn(tmp_path, history, probes=probes).values():
        assert len(content) < 10**6


@pytest.mark.parametrize(
    "entry",
    [
        {"iteration": [1]},
        {"iteration": None, "losses": {"triplet": 0.5}},
        {"iteration": 1, "losses": [0.5]},
        {"iteration": 1, "losses": {"triplet": [0.5]}},
        {"iteration": 1, "losses": {"triplet": "0.5"}},
        {"iteration": 1, "losses": {"triplet": 10**400}},
        {"iteration": 1, "losses": {"triplet": 0.5, "softmax": 0.5}},
        {"iteration": 1, "rank1_pct": 5},
        {"rank1_pct": {}},
    ],
    ids=str,
)
def test_a_line_that_is_none_of_a_history_is_named(
    tmp_path: Path, entry: dict[str, object]
) -> None:
    with pytest.raises(DataError, match=r"history\.jsonl:1: .*; remove that line$"):
        drawn(tmp_path, sealed_line(entry))


def test_a_reader_s_own_style_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    first = drawn(tmp_path / "a")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20.0)
    assert drawn(tmp_path / "b") == first
    assert matplotlib.rcParams["font.size"] == 20.0


def test_from_embeddings_to_tables_and_figures(tmp_path: Path) -> None:

    from gait.evaluation import score

    resolved = an_experiment()
    sealed_npz(tmp_path / "embeddings.npz", **arrays())
    score(resolved, tmp_path / "embeddings.npz", tmp_path / "metrics.json")
    places = [tmp_path / name for name in ("report.csv", "views.csv", "figures")]
    report(resolved, tmp_path / "metrics.json", *places)
    text = places[0].read_text()
    assert [line.split(",")[3:5] for line in text.splitlines()[1:]] == [
        [protocol, row] for protocol in ("single", "cross") for row in ("NM", "CL", "mean")
    ]
    assert len(places[1].read_text().splitlines()) == 1 + 2 * 9 + 2 * 3
    assert (places[2] / "cross-views.svg").is_file()
    other = resolved.model_copy(update={"save_name": "other"})
    with pytest.raises(DataError, match="expected Toy/GaitSet/other"):
        report(other, tmp_path / "metrics.json", *places)
