"""Each parameter of a model changes the network, as tests/settings/model.yaml says by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait.data.store import PackedStore
from tests.populations import NAMES, built, recipe, sequence, sizes_of, write_population
from tests.settings.proofs import read_proofs

ROWS = {key: row for key, row in read_proofs("model").items() if isinstance(row, dict)}
FRAMES = 4


@cache
def inputs_of(name: str) -> tuple[dict[str, int], list[Tensor]]:
    """What the model of a recipe is made for, and one sequence as it takes it."""
    with TemporaryDirectory() as folder:
        write_population(Path(folder) / "packed", name)
        store = PackedStore(Path(folder) / "packed")
        given = sequence(name, store, 0, FRAMES)
        return sizes_of(name, store), [each.clone().unsqueeze(0) for each in given]


def recipe_of(model: str) -> str:
    return next(name for name in NAMES if recipe(name)["model"]["name"] == model)


@contextmanager
def shapes_of_outputs(model: nn.Module) -> Iterator[dict[str, list[int]]]:
    """The shape of what each part gave last."""
    shapes: dict[str, list[int]] = {}

    def note(name: str) -> Any:
        def noted(module: nn.Module, given: object, output: Any) -> None:
            if isinstance(output, Tensor):
                shapes[name] = list(output.shape)

        return noted

    hooks = [each.register_forward_hook(note(name)) for name, each in model.named_modules()]
    yield shapes
    for each in hooks:
        each.remove()


@cache
def plain(name: str, *around: tuple[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a recipe, and what is to be known of it."""
    return made(name, **dict(around))


def made(name: str, *, runs: bool = True, **changes: Any) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a recipe with some parameters changed, and the shapes that are to be known."""
    sizes, given = inputs_of(name)
    model = built(name, sizes, **changes).eval()
    found: dict[str, Any] = {key: list(each.shape) for key, each in model.state_dict().items()}
    with shapes_of_outputs(model) as shapes, torch.no_grad():
        if runs:
            found["embeddings"] = list(model([each.clone() for each in given]).embeddings.shape)
    return model, found | shapes


def known(made: tuple[nn.Module, dict[str, Any]], name: str) -> Any:
    """A shape or an attribute of a model; None where there is none of that name."""
    model, shapes = made
    if name in shapes:
        return shapes[name]
    try:
        return attrgetter(name)(model)
    except AttributeError:
        return None


@pytest.mark.parametrize("key", ROWS)
def test_a_parameter_shapes_the_network(key: str) -> None:
    row = ROWS[key]
    model, _, parameter = key.partition(".")
    name, around = row.get("of", recipe_of(model)), row.get("and", {})
    before = plain(name, *around.items())
    after = made(name, runs=row.get("runs", True), **around, **{parameter: row["set"]})
    assert {each: known(after, each) for each in row["then"]} == row["then"]
    assert not [each for each, value in row["then"].items() if known(before, each) == value]
