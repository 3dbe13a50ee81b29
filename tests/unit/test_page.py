"""The page holds every table and figure, and asks nothing of the network."""

from __future__ import annotations

import base64
import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from gait.report import html_report, merge_tables, show
from gait.report.tables import Row, read_report, write_table
from tests.unit.scores import probe, table


class Page(HTMLParser):
    """Collects text and references, and checks that tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.references: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def experiment(folder: Path, save_name: str) -> Path:
    (folder / save_name / "figures").mkdir(parents=True)
    (folder / save_name / "figures" / "rank1.svg").write_text(f"<svg>{save_name}</svg>")
    return table(folder / save_name / "report.csv", save_name)


def test_tables_and_figures_are_inside(tmp_path: Path) -> None:
    reports = [experiment(tmp_path, "one"), experiment(tmp_path, "two")]
    html_report(reports, tmp_path / "report.html")
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    for expected in ("Toy", "GaitSet/one", "GaitSet/two", "95.83", "82.98", "400"):
        assert expected in read.words
    # Each table of a dataset is named after its protocol, and each fold after its experiment.
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall("<h3>(.*)</h3>", text) == ["single_view"]
    assert re.findall("<summary>(.*)</summary>", text) == ["GaitSet/one", "GaitSet/two"]
    embedded = [each for each in read.references if not each.startswith("#")]
    assert all(each.startswith("data:image/svg+xml;base64,") for each in embedded)
    figures = [base64.b64decode(each.partition(",")[2]).decode() for each in embedded]
    assert figures == ["<svg>one</svg>", "<svg>two</svg>"]


def test_whose_figure_is_published_stands_below_the_experiment(tmp_path: Path) -> None:
    rows = read_report(table(tmp_path / "report.csv", "mine"))
    whose = "OpenGait, another recipe"
    rows[0] = replace(rows[0], published_rank1_pct="95.00", published_by=whose)
    write_table(tmp_path / "report.csv", Row, rows)
    html_report([tmp_path / "report.csv"], tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert f'GaitSet/mine<small class="theirs">published by {whose}</small></td>' in text
    assert f"Published by {whose}: single_view." in text


def test_it_needs_nothing_from_elsewhere_and_is_the_same_again(tmp_path: Path) -> None:
    reports = [experiment(tmp_path, "one")]
    html_report(reports, tmp_path / "a.html")
    html_report(reports, tmp_path / "b.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text == (tmp_path / "b.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    path = table(tmp_path / "report.csv", probes={"<b>NM": probe(50.0, "a < b")})
    html_report([path], tmp_path / "report.html")
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "<b>NM" in read.words


def test_combined_tables_bring_their_notes_and_rows_come_once(tmp_path: Path) -> None:
    one = experiment(tmp_path, "one")
    merge_tables([one], tmp_path / "report.csv", ["Toy/GaitSet/two: the weights are not there"])
    html_report([one, tmp_path / "report.csv"], tmp_path / "report.html")
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(read.words)
    assert "GaitSet/two: the weights are not there" in text
    assert len([each for each in read.references if each.startswith("data:")]) == 1


def test_a_model_trained_elsewhere_is_named_as_such_and_keeps_its_figures(tmp_path: Path) -> None:
    own, foreign = experiment(tmp_path, "one"), experiment(tmp_path / "on-Toy", "one")
    with foreign.open(encoding="utf-8", newline="") as file:
        rows = [row | {"trained_on": "Far"} for row in csv.DictReader(file)]
    write_table(foreign, Row, [Row(**row) for row in rows])
    html_report([own, foreign], tmp_path / "report.html")
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "GaitSet/one, trained on Far" in " ".join(read.words)
    assert len([each for each in read.references if each.startswith("data:")]) == 2


def test_tables_that_lack_rows_leave_cells_empty(tmp_path: Path) -> None:
    rows = read_report(table(tmp_path / "whole.csv", "whole"))
    cut = [replace(row, save_name="cut", rank1_ci_high_pct="") for row in rows[:1]]
    for name, some in (("last", [*cut, *rows]), ("first", [*rows, *cut])):
        write_table(tmp_path / f"{name}.csv", Row, some)
        html_report([tmp_path / f"{name}.csv"], tmp_path / "page.html")
        Page((tmp_path / "page.html").read_text(encoding="utf-8"))
        show(tmp_path / f"{name}.csv")


def test_without_any_table_there_still_is_a_page(tmp_path: Path) -> None:
    html_report([], tmp_path / "report.html")
    Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_quality_report_is_linked_to_where_there_is_one(tmp_path: Path) -> None:
    reports = [experiment(tmp_path, "one")]
    html_report(reports, tmp_path / "report.html", qualities=[tmp_path / "Toy/quality.html"])
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Toy/quality.html" in read.references
    html_report(reports, tmp_path / "report.html", qualities=[tmp_path / "Other/quality.html"])
    read = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not any("quality" in each for each in read.references)
