"""The zoo: every model of `config/models`, its size and cost, its paper and published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn
from torch.fx.experimental import _config as experimental
from torch.utils.flop_counter import FlopCounterMode

from gait import registry
from gait.config.dataset import Dataset, Published
from gait.config.experiment import Experiment
from gait.config.load import (
    dataset_names,
    experiment_names,
    load_dataset,
    load_recipe,
    model_names,
)
from gait.data.inputs import derived_sizes, model_inputs
from gait.errors import MissingExtraError
from gait.modalities import MODALITIES
from gait.ragged import Frames, Ragged
from gait.screen import styled_output

Shape = tuple[int, ...]

# What a frame is before an experiment's transforms where the modality leaves it open. h and w are
# `pretreat.size_px`, except of what no pretreatment makes; a pose has COCO's joints.
_SIZES: dict[str, dict[str, int]] = {
    "pose": {"v": 17},
    "points": {"p": 1024},
    "rgb": {"h": 256, "w": 128},
    "masks": {"h": 128, "w": 128},
    "latent": {"h": 96, "w": 48},
}
# Two inputs that show the same pixels have one size: that of CASIA-B*'s videos, of the latents.
_TOGETHER = {
    frozenset({"rgb", "masks"}): _SIZES["masks"],
    frozenset({"latent", "masks"}): _SIZES["latent"],
}
# Stands for an experiment without a published figure.
DASH = "\N{EN DASH}"
# With more probes than these, only the last is listed, which is that of all conditions.
_MOST_PROBES = 4

_MEANING = (
    "Input: one frame at test time, after the recipe's transforms. Parameters: millions, frozen "
    "ones included; each class, an identity or a category, adds those of the next column. GFLOPs: "
    "thousand millions of operations a frame when a clip of the recipe's length is embedded. A "
    "multiply-add of a convolution or a matrix product counts as two; nothing else counts, nor "
    "does making the input. Where a model computes on the walker's pixels only, all are taken for "
    "such."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes.

    Attributes:
        parameters: how many it has besides those that each class adds.
        parameters_per_class: how many one more identity, or category, adds.
        flops_per_frame: operations of convolutions and matrix products at test time, two for each
            multiply-add.
    """

    parameters: int
    parameters_per_class: int
    flops_per_frame: float


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the zoo.

    Attributes:
        shapes: of a test frame, by the name of the input.
        cost: None where it cannot be built here, for the reason that `problem` gives.
        paper: authors, title and venue.
        experiments: the datasets with an experiment.
    """

    name: str
    shapes: dict[str, Shape]
    cost: Cost | None
    problem: str
    paper: str
    experiments: frozenset[str]


@dataclass(frozen=True, slots=True)
class Zoo:
    """All models, and the datasets that any of them has an experiment or a figure on."""

    models: list[Listed]
    datasets: list[Dataset]

    @property
    def problems(self) -> list[str]:
        """Why some models cannot be built here, each reason once."""
        return list(dict.fromkeys(each.problem for each in self.models if each.problem))


def zoo(root: Path) -> Zoo:
    """The models below `root`; builds each of them, but no tensor with numbers in it.

    Raises:
        ConfigError: all problems of a model's or a dataset's files.
    """
    datasets = {name: load_dataset(root, name)[0] for name in dataset_names(root)}
    experiments: dict[str, set[str]] = {}
    for dataset, model, _ in experiment_names(root):
        experiments.setdefault(model, set()).add(dataset)
    models = []
    for name in model_names(root):
        known = sorted(experiments.get(name, set()) & datasets.keys())
        # A model for larger silhouettes has a dataset of them.
        size_px = max((datasets[each].pretreat.size_px for each in known), default=64)
        models.append(_listed(name, load_recipe(root, name), size_px, frozenset(known)))
    used = {each.name for each in datasets.values() if each.published}
    used |= {dataset for each in models for dataset in each.experiments}
    return Zoo(models, [datasets[name] for name in sorted(used)])


def _listed(name: str, recipe: Experiment, size_px: int, experiments: frozenset[str]) -> Listed:
    shapes = frame_shapes(recipe, size_px)
    cost, problem = None, ""
    try:
        cost = cost_of(recipe, shapes)
    except MissingExtraError as error:
        problem = error.lack
    return Listed(name, shapes, cost, problem, paper_of(recipe), experiments)


def frame_shapes(recipe: Experiment, size_px: int = 64) -> dict[str, Shape]:
    """Shapes of a test frame as the model gets it, by the name of the input.

    Args:
        size_px: height and width of images that the dataset's pretreatment makes.
    """
    chosen = dict(_SIZES)
    for pair, sizes in _TOGETHER.items():
        if pair <= set(recipe.inputs):
            chosen |= dict.fromkeys(pair, sizes)
    shapes = {}
    for each in model_inputs(recipe.inputs, recipe.embedding.transforms):
        parts: list[Frames] = []
        for name in each.modalities:
            free = {"h": size_px, "w": size_px, **chosen.get(name, {})}
            sides = MODALITIES[name].frame_shape
            shape = [free[side] if isinstance(side, str) else side for side in sides]
            frame = np.zeros((1, *shape), MODALITIES[name].dtypes[0])
            parts.append(Ragged.of(frame) if MODALITIES[name].is_ragged else frame)
        shapes[each.name] = each.made_of(parts, np.random.default_rng(0)).shape[1:]
    return shapes


def cost_of(recipe: Experiment, shapes: dict[str, Shape]) -> Cost:
    """Size and cost of a model for frames of these shapes.

    Tensors of torch's device 'meta' have a shape and no numbers, so nothing is computed, and no
    weights are needed. How many pixels belong to the walker is not known then: all may.

    Raises:
        MissingExtraError: the model needs an optional dependency.
    """
    inputs = model_inputs(recipe.inputs, [])
    sizes = derived_sizes(inputs, [shapes[each.name] for each in inputs])
    one, two = (_built(recipe, sizes, classes) for classes in (1, 2))
    first, second = (sum(each.numel() for each in model.parameters()) for model in (one, two))
    count = recipe.frames.count
    clip = [torch.zeros(1, count, *shapes[each.name], device="meta") for each in inputs]
    counter = FlopCounterMode(display=False)
    all_pixels = experimental.patch(meta_nonzero_assume_all_nonzero=True)  # type: ignore[attr-defined]
    with torch.no_grad(), torch.device("meta"), all_pixels, counter:
        one.eval()(clip)
    return Cost(2 * first - second, second - first, counter.get_total_flops() / count)


def _built(recipe: Experiment, sizes: dict[str, int], classes: int) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = registry.build(
            "model",
            recipe.model.settings,
            **sizes,
            num_classes=classes,
            num_categories=classes,
        )
    return model.to("meta")


def paper_of(recipe: Experiment) -> str:
    """The source that the model's class names.

    A class that serves several models separates their sources by semicolons; 'with <modality>: '
    begins that of a model which reads this modality.
    """
    sources = registry.source("model", recipe.model.name).split("; ")
    for modality in recipe.inputs:
        begin = f"with {modality.replace('_', ' ')}: "
        for each in sources:
            if each.startswith(begin):
                return each.removeprefix(begin)
    return sources[0]


def figures_of(dataset: Dataset, model: Listed) -> str:
    """Published rank-1 in percent, probe by probe; a dash for an experiment without it."""
    figures = [_figures(each) for each in dataset.published if each.model == model.name]
    without = DASH if dataset.name in model.experiments else ""
    return "; ".join(figures) or without


def page(found: Zoo) -> str:
    """The zoo as a page of Markdown."""
    models = [[*_facts(each), each.paper] for each in found.models]
    crossed = [
        [each.name, *(figures_of(dataset, each) for dataset in found.datasets)]
        for each in found.models
    ]
    return "\n".join(
        [
            "# The zoo",
            "",
            "Written by `gait models --output docs/zoo.md`.",
            "",
            *_markdown([*_FACTS, "paper"], models),
            "",
            _MEANING,
            *(f"\n{each}." for each in found.problems),
            "",
            "## Published rank-1",
            "",
            "In percent; a dash marks an experiment without a published figure.",
            "",
            *_markdown(["model", *(each.name for each in found.datasets)], crossed),
            "",
            *(f"- {each.name}: {_sources(each)}." for each in found.datasets if each.published),
            "",
        ]
    )


def show(found: Zoo) -> None:
    """Print the zoo."""
    console = Console(width=100, highlight=False, file=styled_output())
    facts = _table(_FACTS, numbers=_FACTS[2:])
    papers = _table(["model", "paper", "experiments, and published rank-1 in percent"])
    for each in found.models:
        facts.add_row(*map(Text, _facts(each)))
        figures = [(dataset.name, figures_of(dataset, each)) for dataset in found.datasets]
        listed = ", ".join(f"{name} {figure}" for name, figure in figures if figure)
        papers.add_row(Text(each.name), Text(each.paper), Text(listed))
    console.print(facts)
    console.print(papers)
    for problem in found.problems:
        console.print(Text(problem))
    console.print(Text(_MEANING, style="dim"))


_FACTS = ["model", "input", "parameters (M)", "per class", "GFLOPs"]


def _facts(model: Listed) -> list[str]:
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


def _figures(published: Published) -> str:
    figures = list(map(str, published.rank1_pct.values()))
    return figures[-1] if len(figures) > _MOST_PROBES else " / ".join(figures)


def _sources(dataset: Dataset) -> str:
    """What a dataset's figures are, and where they come from."""
    models: dict[str, list[str]] = {}
    for each in dataset.published:
        probes = list(each.rank1_pct)
        named = probes[-1] if len(probes) > _MOST_PROBES else " / ".join(probes)
        models.setdefault(f"{named} of {each.protocol}, {each.source}", []).append(each.model)
    return "; ".join(f"{what} ({', '.join(names)})" for what, names in models.items())


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(each)} |" for each in (header, ["---"] * len(header), *rows)]


def _table(header: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in header:
        number: Any = {"justify": "right", "no_wrap": True} if name in numbers else {}
        table.add_column(name, overflow="fold", **number)
    return table
