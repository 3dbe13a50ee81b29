"""Finds every key that a configuration may have, from the schemas themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from gait import registry
from gait.config.dataset import Dataset
from gait.config.experiment import Experiment
from gait.config.yaml import read_yaml

ROOT = Path(__file__).parents[2]
# By the file of this folder that names their proofs.
SCHEMAS = {"experiment": Experiment, "dataset": Dataset}
# Torch's own are torch's to test: ours is that whatever is set reaches them, which is what the
# proofs of Experiment.optimizer and Experiment.scheduler are about.
OURS = [kind for kind in registry.KINDS if kind not in ("model", "optimizer", "scheduler")]


def all_keys() -> dict[str, set[str]]:
    """The keys of each file of this folder, as `<class>.<key>`; of the workflow, dotted paths."""
    return {
        **{file: set(_fields(schema)) for file, schema in SCHEMAS.items()},
        "component": {key for kind in OURS for key in _parameters(kind)} | set(_schedules()),
        "model": set(_parameters("model")),
        "workflow": set(
            _properties(*[read_yaml(ROOT / "workflow/schemas/config.schema.yaml")[0]] * 2)
        ),
    }


def _fields(schema: type[BaseModel]) -> Iterator[str]:
    for each in sorted(_records(schema), key=lambda record: record.__name__):
        inherited = {key for base in each.__mro__[1:] for key in getattr(base, "model_fields", {})}
        yield from (f"{each.__name__}.{key}" for key in each.model_fields.keys() - inherited)


def _records(annotation: Any) -> set[type[BaseModel]]:
    """The schema classes that an annotation names, and those that their fields name."""
    found: set[type[BaseModel]] = set()
    waiting = [annotation]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, BaseModel):
            if each in found:
                continue
            found.add(each)
            waiting += [field.annotation for field in each.model_fields.values()]
            waiting += [base for base in each.__bases__ if issubclass(base, BaseModel)]
        else:
            waiting += get_args(each)
    return found


def _parameters(kind: str) -> Iterator[str]:
    for name in registry.names(kind):
        yield from (f"{name}.{key}" for key in registry.parameters(kind, name).all)


def _schedules() -> Iterator[str]:
    files = (ROOT / "gait/engine/schedulers").glob("[!_]*.py")
    for name in (registry.canonical("scheduler", file.stem) for file in files):
        yield from (f"{name}.{key}" for key in registry.parameters("scheduler", name).all)


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if reference := schema.get("$ref"):
        schema = root["$defs"][reference.rpartition("/")[2]]
    for key, inner in schema.get("properties", {}).items():
        within = [f"{key}.{each}" for each in _properties(inner, root)]
        yield from within or [key]
