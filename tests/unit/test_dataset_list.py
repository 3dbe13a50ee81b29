"""The list of datasets: the committed page is what the command writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gait.report.datasets import datasets_page, defined, show_datasets

REPOSITORY = Path(__file__).parents[2]


def test_the_committed_page_is_what_the_command_writes() -> None:
    committed = (REPOSITORY / "docs/datasets.md").read_text(encoding="utf-8")
    assert datasets_page(defined(REPOSITORY)) == committed, (
        "run gait datasets --output docs/datasets.md"
    )


def test_the_page_names_every_folder_and_links_its_text() -> None:
    text = datasets_page(defined(REPOSITORY))
    for path in (REPOSITORY / "datasets").glob("*/README.md"):
        name = path.parent.name
        assert f"[{name}](../datasets/{name}/README.md)" in text and f"\n### {name}\n" in text


def test_the_list_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    show_datasets(defined(REPOSITORY))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    (row,) = (line.split() for line in lines if line.startswith(" OUMVLP "))
    assert row[:3] == ["OUMVLP", "10,307", "silhouettes"]
