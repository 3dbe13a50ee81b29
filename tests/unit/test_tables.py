"""Tables hold what was measured, with two decimals, and nothing where there is nothing."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields, replace
from pathlib import Path

import pandas as pd
import pytest

from gait.config.published import Published
from gait.errors import DataError
from gait.formats.seal import sealed_json
from gait.report import merge_tables, show
from gait.report.metrics import Metrics, read_metrics
from gait.report.tables import Row, ViewRow, read_report, report_rows, view_rows, write_table
from tests.unit.scores import metrics, probe, table

COLUMNS = (
    "dataset,model,save_name,protocol,probe,rank1_pct,rank5_pct,map_pct,minp_pct,n_probe,"
    "n_gallery,rank1_ci_low_pct,rank1_ci_high_pct,published_rank1_pct,published_by,iterations,seed,kind,"
    "accuracy_pct,accuracy_ci_low_pct,accuracy_ci_high_pct,precision_pct,recall_pct,f1_pct,"
    "specificity_pct,eer_pct,tar_far_1e_2_pct,tar_far_1e_3_pct,tar_far_1e_4_pct,miou_pct,note,trained_on"
)


def published(figures: dict[str, float], model: str = "GaitSet", **changes: str) -> Published:
    stated = {"experiment": "paper", "protocol": "single_view", "table": "opengait"} | changes
    return Published.model_validate(
        {"model": model, "rank1_pct": figures, "source": "a page", **stated}
    )


def test_the_columns_their_order_and_decimals(tmp_path: Path) -> None:
    rows = report_rows(Metrics.model_validate(metrics()), [published({"NM": 95.0, "CL": 75.4})])
    write_table(tmp_path / "report.csv", Row, rows)
    assert (tmp_path / "report.csv").read_bytes().decode().split("\n") == [
        COLUMNS,
        "Toy,GaitSet,paper,single_view,NM,95.83,100.00,50.00,12.35,20,40,93.83,97.33,95.00,OpenGait,400,0,retrieval,,,,,,,,,,,,,,",
        "Toy,GaitSet,paper,single_view,CL,70.12,100.00,50.00,12.35,20,40,68.12,71.62,75.40,OpenGait,400,0,retrieval,,,,,,,,,,,,,,",
        "Toy,GaitSet,paper,single_view,mean,"
        "82.98,100.00,50.00,12.35,20,40,80.98,84.48,85.20,OpenGait,400,0,retrieval,,,,,,,,,,,,,,",
        "",
    ]


def test_pandas_reads_it_without_options(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path / "report.csv"))
    assert ",".join(frame.columns) == COLUMNS
    assert frame["rank1_pct"].tolist() == [95.83, 70.12, 82.98]
    assert frame["published_rank1_pct"].isna().all()


def test_a_published_mean_needs_every_probe_and_the_same_model() -> None:
    read = Metrics.model_validate(metrics())
    for given, expected in (
        ([published({"NM": 95.0})], ["95.00", "", ""]),
        ([published({"NM": 95.0, "CL": 75.0}, "GaitBase")], ["", "", ""]),
        ([published({"NM": 95.0}), published({"NM": 1.0, "CL": 75.0})], ["95.00", "", ""]),
        ([published({"CL": 75.0, "mean": 80.0})], ["", "75.00", "80.00"]),
    ):
        rows = report_rows(read, given)
        assert [row.published_rank1_pct for row in rows] == expected
        whose = ["OpenGait" if each else "" for each in expected]
        assert [row.published_by for row in rows] == whose


@pytest.mark.parametrize(
    ("save_name", "figure", "whose"),
    [
        ("paper", "95.00", "the authors"),
        ("paper@3", "95.00", "the authors"),
        ("group", "90.00", "others"),
        ("mine", "70.00", "OpenGait, another recipe"),
    ],
)
def test_a_published_figure_is_the_experiment_s_own_or_labelled(
    save_name: str, figure: str, whose: str
) -> None:
    given = [
        published({"NM": 70.0}, experiment=""),
        published({"NM": 95.0}, table="authors"),
        published({"NM": 90.0}, experiment="group", table="others"),
        published({"NM": 10.0}, experiment=save_name, protocol="another"),
    ]
    row = report_rows(Metrics.model_validate(metrics(save_name)), given)[0]
    assert (row.published_rank1_pct, row.published_by) == (figure, whose)


def test_whose_figures_are_published_is_said_on_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        row
        for name in ("paper", "mine")
        for row in report_rows(Metrics.model_validate(metrics(name)), [published({"NM": 95.0})])
    ]
    write_table(tmp_path / "report.csv", Row, rows)
    show(tmp_path / "report.csv")
    said = capsys.readouterr().out
    assert "Published by OpenGait: GaitSet/paper." in said
    assert "Published by OpenGait, another recipe: GaitSet/mine." in said


def test_an_empty_row_stays_empty_and_keeps_its_note(tmp_path: Path) -> None:
    probes = {"NM": probe(90.0), "CL": probe(None, "no sequence with condition cl-*")}
    frame = pd.read_csv(table(tmp_path / "report.csv", probes=probes))
    empty = frame[frame["probe"] == "CL"].iloc[0]
    assert empty[["rank1_pct", "rank5_pct", "map_pct", "rank1_ci_low_pct"]].isna().all()
    assert (empty["n_probe"], empty["note"]) == (0, "no sequence with condition cl-*")


def test_views_in_long_form(tmp_path: Path) -> None:
    rows = view_rows(Metrics.model_validate(metrics(probes={"NM": probe(95.8333)})))
    write_table(tmp_path / "views.csv", ViewRow, rows)
    assert (tmp_path / "views.csv").read_text().splitlines() == [
        "protocol,probe,probe_view,gallery_view,rank1_pct,n_probe,n_gallery",
        "single_view,NM,000,000,,0,20",
        "single_view,NM,000,090,95.83,10,20",
        "single_view,NM,090,000,95.83,10,20",
        "single_view,NM,090,090,,0,20",
    ]


def test_combining_keeps_order_takes_rows_once_and_adds_notes(tmp_path: Path) -> None:
    first, second = table(tmp_path / "a.csv", "a"), table(tmp_path / "b.csv", "b")
    inner, outer = tmp_path / "inner.csv", tmp_path / "outer.csv"
    note = "Toy/GaitSet/weights: the weights x.pt, from afar, are not there"
    merge_tables([second, first], inner, [note])
    merge_tables([inner, second], outer, [])
    assert outer.read_text() == inner.read_text()
    frame = pd.read_csv(outer)
    assert frame["save_name"].tolist() == ["b"] * 3 + ["a"] * 3 + ["weights"]
    assert frame["note"].iloc[-1] == note.split(": ")[1]
    assert frame.iloc[-1].drop(["dataset", "model", "save_name", "note"]).isna().all()


def test_rows_of_models_trained_elsewhere_stand_beside_the_dataset_s_own(tmp_path: Path) -> None:
    own, foreign = tmp_path / "own.csv", tmp_path / "foreign.csv"
    table(own)
    read = Metrics.model_validate(metrics() | {"trained_on": "Far"})
    assert read.identity == "Far/GaitSet/paper/on-Toy"
    write_table(foreign, Row, report_rows(read, []))
    merge_tables([own, foreign], tmp_path / "both.csv", [])
    rows = read_report(tmp_path / "both.csv")
    assert [row.trained_on for row in rows] == [""] * 3 + ["Far"] * 3
    names = dict.fromkeys(row.experiment for row in rows)
    assert list(names) == ["Toy/GaitSet/paper", "Toy/GaitSet/paper, trained on Far"]


def test_only_notes_make_a_table_too(tmp_path: Path) -> None:
    merge_tables([], tmp_path / "report.csv", ["Toy/GaitSet/weights: missing"])
    assert pd.read_csv(tmp_path / "report.csv")["note"].tolist() == ["missing"]


def test_tables_that_disagree_are_refused(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv")
    second = table(tmp_path / "b.csv", probes={"NM": probe(1.0), "CL": probe(70.125)})
    with pytest.raises(
        DataError, match=r"b\.csv: its row Toy/GaitSet/paper single_view NM differs"
    ):
        merge_tables([first, second], tmp_path / "c.csv", [])
    assert not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize(
    "note", ["Toy/GaitSet: why", "Toy/GaitSet/x", "Toy//x: why", "a/b/c/d: why"]
)
def test_a_note_names_an_experiment(tmp_path: Path, note: str) -> None:
    with pytest.raises(DataError, match="expected a note"):
        merge_tables([], tmp_path / "report.csv", [note])


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("dataset,model\nToy,GaitSet\n")
    with pytest.raises(DataError, match="the columns save_name, protocol"):
        merge_tables([path], tmp_path / "out.csv", [])
    with pytest.raises(DataError, match="cannot be read"):
        merge_tables([tmp_path / "absent.csv"], tmp_path / "out.csv", [])


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("rank1_pct", "1_000"),
        ("rank1_ci_low_pct", "x"),
        ("n_probe", "nan"),
        ("n_gallery", "\ud800"),
        ("kind", "retrieva"),
        ("kind", ""),
    ],
)
def test_a_cell_that_does_not_belong_there_is_named(
    tmp_path: Path, column: str, cell: str
) -> None:
    row = replace(read_report(table(tmp_path / "report.csv"))[1], **{column: cell})
    with (tmp_path / "report.csv").open("w", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerows([[each.name for each in fields(Row)], list(asdict(row).values())])
    (tmp_path / "report.csv.sha256").unlink()
    with pytest.raises(DataError, match=f"report.csv, line 2: expected .* as {column}, got"):
        read_report(tmp_path / "report.csv")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "run gait score again"),
        ("{}", "carries no digest"),
        (sealed_json({}), "is missing"),
        (sealed_json(metrics() | {"format": "gait-metrics-9"}), "format"),
        (sealed_json(metrics() | {"more": 1}), "unknown key"),
    ],
)
def test_metrics_that_are_none_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_metrics(tmp_path / "metrics.json")


def test_the_terminal_table_fits_and_says_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["paper", "a-save-name-that-is-far-too-long-for-its-column"]
    tables = [table(tmp_path / f"{name}.csv", name) for name in names]
    merge_tables(
        tables, tmp_path / "report.csv", ["Toy/GaitSet/weights: the weights are not there"]
    )
    (tmp_path / "views.csv").touch()
    show(tmp_path / "report.csv")
    lines = capsys.readouterr().out.splitlines()
    path = str(tmp_path)
    assert max(len(line.rstrip()) for line in lines if path not in line) <= 100
    text = "\n".join(lines)
    for expected in (
        "Toy, single_view", "GaitSet/paper", "published", "93.8-97.3", "82.98", "95 %",
        "Toy/GaitSet/weights: the weights are not there", f"views    {path}/views.csv",
    ):  # fmt: skip
        assert expected in text
    assert "figures " not in text
