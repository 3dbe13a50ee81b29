"""The datasets that are defined: what they hold, how they are scored, what to put where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gait import registry
from gait.config.dataset import Dataset
from gait.config.load import dataset_names, load_dataset
from gait.modalities import COMPANIONS, MODALITIES, POSE, SKELETON_MAPS
from gait.screen import styled_output

_WIDTH = 100
_COLUMNS = ("dataset", "subjects", "modalities", "protocols")
_MEANING = (
    "Subjects: probes with withheld identities count as one subject. Modalities: those of some "
    "form of the "
    "raw files, or of a pkl tree. Protocols: identification, unless a kind stands in brackets; a "
    "dataset without any is there to train on."
)


def defined(root: Path) -> list[Dataset]:
    """The datasets below `root`, by name.

    Raises:
        ConfigError: one of them is not well defined.
    """
    return [load_dataset(root, name)[0] for name in dataset_names(root)]


def datasets_page(datasets: list[Dataset]) -> str:
    """The datasets as a page of Markdown."""
    names = (f"[{each.name}](../datasets/{each.name}/README.md)" for each in datasets)
    rows = [[name, *_cells(each)] for name, each in zip(names, datasets, strict=True)]
    lines = [
        "# The datasets",
        "",
        "Written by `gait datasets --output docs/datasets.md`.",
        "",
        *(f"| {' | '.join(each)} |" for each in (_COLUMNS, ["---"] * len(_COLUMNS), *rows)),
        "",
        _MEANING,
        "",
        "## What to put where",
        "",
        "What follows a dash goes into its folder `raw` below `data/`, in one of the forms;",
        "archives as they are. `gait check` says what is missing. A tree of pkl files in a folder",
        "`pkl`, without a folder `raw` beside it, is taken over as it is.",
    ]
    for each in datasets:
        lines += ["", f"### {each.name}", "", f"{each.title}. {_sentence(each.obtain)}", ""]
        lines += [f"- {form}" for form in _forms(each)]
        lines += ["", f"Licence: {_sentence(each.licence)}"]
        if each.protocols:
            known = (f"`{name}` ({known.title})" for name, known in each.protocols.items())
            lines += ["", f"Protocols: {', '.join(known)}."]
    # What stands for a name is no element of HTML.
    return "\n".join([*lines, ""]).replace("<", r"\<").replace("*", r"\*")


def show_datasets(datasets: list[Dataset]) -> None:
    """Print the datasets."""
    console = Console(width=_WIDTH, highlight=False, file=styled_output())
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for each in datasets:
        table.add_row(Text(each.name), *map(Text, _cells(each)))
    console.print(table)
    console.print(Text(_MEANING, style="dim"))
    console.print(Text("what to put where    docs/datasets.md", style="dim"))


def _cells(dataset: Dataset) -> list[str]:
    """The cells under `_COLUMNS`, but for the name."""
    subjects = dataset.whole.subjects
    named = "" if subjects is None else f"{subjects:,}"
    return [named, ", ".join(_modalities(dataset)), ", ".join(_protocols(dataset))]


def _protocols(dataset: Dataset) -> Iterator[str]:
    for name, each in dataset.protocols.items():
        is_plain = each.kind in ("retrieval", "submission") or name == each.kind
        yield name if is_plain else f"{name} ({each.kind})"


def _modalities(dataset: Dataset) -> list[str]:
    found = {dataset.pkl} if isinstance(dataset.pkl, str) else set(dataset.pkl)
    found.update(modality for kind in dataset.files for modality in COMPANIONS[kind])
    # Walkers are rendered with their joints.
    if POSE in found or dataset.population is not None:
        found.add(POSE)
        found.add(SKELETON_MAPS)
    return [each for each in MODALITIES if each in found]


def _forms(dataset: Dataset) -> Iterator[str]:
    if dataset.population is not None:
        yield "rendered by the workflow"
        return
    for name in dataset.layouts:
        yield registry.build("layout", {"name": name}).looked_for


def _sentence(text: str) -> str:
    """A line of a dataset.yaml as a sentence."""
    text = " ".join(text.split()).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
