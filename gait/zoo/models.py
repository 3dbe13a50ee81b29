"""The models of the zoo, with their experiments and published figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gait.config.dataset import Dataset
from gait.config.experiment import Experiment
from gait.config.load import (
    dataset_names,
    experiment_names,
    load_dataset,
    load_recipe,
    model_names,
)
from gait.config.published import unfounded
from gait.errors import ConfigError, MissingExtraError
from gait.zoo.cost import Cost, Shape, cost_of, frame_shapes
from gait.zoo.figures import FigureLine, figure_lines


@dataclass(frozen=True, slots=True)
class ListedModel:
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

    models: list[ListedModel]
    datasets: list[Dataset]

    @property
    def problems(self) -> list[str]:
        """Why some models cannot be built here, each reason once."""
        return list(dict.fromkeys(each.problem for each in self.models if each.problem))

    @property
    def figures(self) -> list[tuple[Dataset, list[FigureLine]]]:
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
) -> ListedModel:
    shapes = frame_shapes(recipe, size_px)
    cost, problem = None, ""
    try:
        cost = cost_of(recipe, shapes)
    except MissingExtraError as error:
        problem = error.lack
    return ListedModel(name, shapes, cost, problem, recipe.paper, experiments)
