"""The zoo as a page of Markdown and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gait.config.published import TITLES
from gait.screen import styled_output
from gait.zoo.figures import DASH, markdown, tables
from gait.zoo.models import ListedModel, Zoo

_MEANING = (
    "Input: one frame at test time, after the recipe's transforms. Parameters: millions, frozen "
    "ones included; each class, an identity or a category, adds those of the next column. GFLOPs: "
    "thousand millions of operations per frame when a clip of the recipe's length is embedded. A "
    "multiply-add of a convolution or a matrix product counts as two; nothing else counts, nor "
    "does making the input. Where a model computes on the walker's pixels only, all are taken for "
    "such."
)
_LEGEND = (
    "In percent, by row of the protocol where it has several; of more than four, the last one, "
    "which is of all conditions. By: who ran the model, and in brackets where the figures are "
    "printed: its authors; OpenGait, whose configurations the experiments follow; or others, who "
    "trained it to compare their own model with. Figures of another recipe are not to be compared "
    "with those of our experiments, for the reason given below. "
    f"{DASH} marks an experiment without a published figure."
)
_FACTS = ["model", "input", "parameters (M)", "per class", "GFLOPs"]


def zoo_page(found: Zoo) -> str:
    """The zoo as a page of Markdown."""
    models = [[*_facts(each), each.paper] for each in found.models]
    return "\n".join(
        [
            "# The zoo",
            "",
            "Written by `gait models --output docs/zoo.md`.",
            "",
            *markdown([*_FACTS, "paper"], models),
            "",
            _MEANING,
            *(f"\n{each}." for each in found.problems),
            "",
            "## Published figures",
            "",
            _LEGEND,
            "",
            *tables(found.figures),
            "",
        ]
    )


def show_zoo(found: Zoo) -> None:
    """Print the zoo."""
    console = Console(width=100, highlight=False, file=styled_output())
    facts = _table(_FACTS, numbers=_FACTS[2:])
    papers = _table(["model", "paper", "experiments"])
    published = _table(["dataset", "experiment", "protocol", "published, in percent", "by"])
    for each in found.models:
        facts.add_row(*map(Text, _facts(each)))
        papers.add_row(Text(each.name), Text(each.paper), Text(", ".join(each.experiments)))
    for dataset, lines in found.figures:
        for line in lines:
            if line.figures:
                texts = [f"{TITLES[key]} {text}" for key, text in line.figures.items()]
                cells = [dataset.name, line.name, line.protocol, "; ".join(texts), line.by]
                published.add_row(*map(Text, cells))
    console.print(facts)
    console.print(papers)
    console.print(published)
    for problem in found.problems:
        console.print(Text(problem))
    console.print(Text(_MEANING, style="dim"))


def _facts(model: ListedModel) -> list[str]:
    """The cells under `_FACTS`."""
    inputs = ", ".join(
        " ".join([name, " x ".join(map(str, shape))]).strip()
        for name, shape in model.shapes.items()
    )
    if model.cost is None:
        return [model.name, inputs, "", "", ""]
    return [
        model.name,
        inputs,
        _digits(model.cost.parameters / 1e6),
        f"{model.cost.parameters_per_class:,}",
        _digits(model.cost.flops_per_frame / 1e9),
    ]


def _digits(value: float) -> str:
    """A number with three digits that mean something."""
    return f"{value:#.3g}".removesuffix(".") if value else "0"


def _table(header: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in header:
        number: Any = {"justify": "right", "no_wrap": True} if name in numbers else {}
        table.add_column(name, overflow="fold", **number)
    return table
