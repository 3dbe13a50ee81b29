"""The published figures of a dataset, as lines that name their experiment, protocol and source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gait.config.dataset import Dataset
from gait.config.published import TITLES, Figures, Published, rows_of

# Stands for an experiment without a published figure.
DASH = "\N{EN DASH}"
# Of more rows than these, only the last is listed, which is that of all conditions.
_MOST_ROWS = 4


@dataclass(frozen=True, slots=True)
class FigureLine:
    """Published figures of a model by one protocol; or that there are none, without a protocol.

    Attributes:
        name: `<model>/<save_name>`; behind a comma instead, that they are no experiment's.
        figures: as text, with the names of rows where the protocol has several, by `TITLES`.
        by: whose they are.
        source: where they are printed, and what to know about them.
    """

    name: str
    protocol: str = ""
    figures: dict[str, str] = field(default_factory=dict)
    by: str = ""
    source: str = ""


def figure_lines(dataset: Dataset, experiments: Mapping[str, Sequence[str]]) -> list[FigureLine]:
    """Every figure of the dataset, and every experiment without one, in the order of experiments.

    Args:
        experiments: save_names of the dataset's experiments, by model; figures of other models
            are left out.
    """
    order = list(dataset.protocols)
    published = sorted(dataset.published, key=lambda each: order.index(each.protocol))
    lines = []
    for model, save_names in experiments.items():
        own = [each for each in published if each.model == model]
        for save_name in save_names:
            name = f"{model}/{save_name}"
            its = [each for each in own if each.experiment == save_name]
            lines += [_line(dataset, name, each) for each in its] or [FigureLine(name)]
        what = "another recipe" if save_names else "no experiment"
        others = [each for each in own if not each.experiment]
        lines += [_line(dataset, f"{model}, {what}", each) for each in others]
    return lines


def tables(listed: Sequence[tuple[Dataset, list[FigureLine]]]) -> list[str]:
    """Lines by dataset in Markdown: a table for each with figures, then what has none."""
    written: list[str] = []
    unknown: list[str] = []
    impossible: list[str] = []
    for dataset, lines in listed:
        if any(each.figures for each in lines):
            written += [f"### {dataset.name}", "", *_table(lines), ""]
        else:
            named = f"{dataset.name} ({', '.join(each.name for each in lines)})"
            (unknown if dataset.protocols else impossible).append(named)
    if unknown or impossible:
        written += ["### Without figures", ""]
    if unknown:
        written.append(f"- {DASH}: {'; '.join(unknown)}.")
    if impossible:
        written.append(
            f"- For training only, so that no figure can exist: {'; '.join(impossible)}."
        )
    return written


def _table(lines: list[FigureLine]) -> list[str]:
    """One dataset's table, and below it a numbered list of sources."""
    keys = [key for key in TITLES if any(key in each.figures for each in lines)]
    sources = list(dict.fromkeys(each.source for each in lines if each.source))
    rows = [["experiment", "protocol", *(TITLES[key] for key in keys), "by"]]
    for each in lines:
        cells = [each.figures.get(key, "") for key in keys]
        if each.figures:
            whose = f"{each.by} ({sources.index(each.source) + 1})"
            rows.append([each.name, each.protocol, *cells, whose])
        else:
            rows.append([each.name, "", DASH, *cells[1:], ""])
    numbered = [f"{number}. {each}" for number, each in enumerate(sources, 1)]
    return [*markdown(rows[0], rows[1:]), "", *numbered]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [f"| {' | '.join(each)} |" for each in (header, ["---"] * len(header), *rows)]


def _line(dataset: Dataset, name: str, published: Published) -> FigureLine:
    rows = rows_of(dataset.protocols[published.protocol])
    notes = filter(None, [published.source, published.note])
    return FigureLine(
        name,
        published.protocol,
        {key: _text(values, rows) for key, values in published.figures.items()},
        published.whose,
        " ".join(f"{each}." for each in notes),
    )


def _text(figures: Figures, rows: list[str]) -> str:
    """Percent of each row, which is named unless it is the only one that could be there."""
    if len(rows) == 1:
        return str(figures[rows[0]])
    last = rows[-1]
    shown = {last: figures[last]} if len(rows) > _MOST_ROWS and last in figures else figures
    return ", ".join(f"{row} {figure}" for row, figure in shown.items())
