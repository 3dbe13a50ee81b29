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
from gait.config.dataset import Dataset
from gait.config.experiment import Experiment
from gait.config.load import (
    dataset_names,
    experiment_names,
    load_dataset,
    load_recipe,
    model_names,
)
from gait.config.published import TITLES, unfounded
from gait.data.inputs import derived_sizes, model_inputs
from gait.engine.zoo_figures import DASH, Line, figure_lines, markdown, tables
from gait.errors import ConfigError, MissingExtraError
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

_MEANING = (
    "Input: one frame at test time, after the recipe's transforms. Parameters: millions, frozen "
    "ones included; each class, an identity or a category, adds those of the next column. GFLOPs: "
    "thousand millions of operations a frame when a clip of the recipe's length is embedded. A "
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
        experiments: save_names of its experiments, by dataset.
    """

    name: str
    shapes: dict[str, Shape]
    cost: Cost | None
    problem: str
    paper: str
    experiments: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Zoo:
    """All models, and the datasets that any of them has an experiment or a figure on."""

    models: list[Listed]
    datasets: list[Dataset]

    @property
    def problems(self) -> list[str]:
        """Why some models cannot be built here, each reason once."""
        return list(dict.fromkeys(each.problem for each in self.models if each.problem))

    @property
    def figures(self) -> list[tuple[Dataset, list[Line]]]:
        """Published figures of the models on each dataset."""
        return [
            (
                dataset,
                figure_lines(
                    dataset,
                    {each.name: each.experiments.get(dataset.name, []) for each in self.models},
                ),
            )
            for dataset in self.datasets
        ]


def zoo(root: Path) -> Zoo:
    """The models below `root`; builds each of them, but no tensor with numbers in it.

    Raises:
        ConfigError: all problems of a model's or a dataset's files.
    """
    datasets = {name: load_dataset(root, name)[0] for name in dataset_names(root)}
    experiments: dict[str, dict[str, list[str]]] = {}
    for dataset, model, save_name in experiment_names(root):
        if dataset in datasets:
            its = experiments.setdefault(model, {})
            its.setdefault(dataset, []).append(save_name)
    if problems := [
        f"datasets/{name}/dataset.yaml: published: {problem}"
        for name, each in datasets.items()
        for problem in unfounded(
            each.published, {model: its.get(name, []) for model, its in experiments.items()}
        )
    ]:
        raise ConfigError(problems)
    models = []
    for name in model_names(root):
        its = experiments.get(name, {})
        # A model for larger silhouettes has a dataset of them.
        size_px = max((datasets[each].pretreat.size_px for each in its), default=64)
        models.append(_listed(name, load_recipe(root, name), size_px, its))
    used = {each.name for each in datasets.values() if each.published}
    used |= {dataset for each in models for dataset in each.experiments}
    return Zoo(models, [datasets[name] for name in sorted(used)])


def _listed(
    name: str, recipe: Experiment, size_px: int, experiments: dict[str, list[str]]
) -> Listed:
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


def page(found: Zoo) -> str:
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


def show(found: Zoo) -> None:
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


def _table(header: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in header:
        number: Any = {"justify": "right", "no_wrap": True} if name in numbers else {}
        table.add_column(name, overflow="fold", **number)
    return table
