"""Finds every key that a configuration may have, from the schemas themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from gait import registry
from gait.config.dataset import Dataset
from gait.config.experiment import Experiment
from gait.config.yaml import read_yaml

ROOT = Path(__file__).parents[2]
SCHEMAS = {"experiment": Experiment, "dataset": Dataset}
# What torch's own optimisers and schedules do is torch's to test. That whatever is set reaches
# them is ours: the proofs of Experiment.optimizer and Experiment.scheduler are about that.
KINDS = [kind for kind in registry.KINDS if kind not in ("model", "optimizer", "scheduler")]


def all_keys() -> dict[str, set[str]]:
    """The keys that each file of proofs in this folder is about, by the file's name.

    A key is `<class>.<field or parameter>`; in the workflow's configuration, its dotted path.
    """
    components = {key for kind in KINDS for key in _parameters(kind, registry.names(kind))}
    workflow, _ = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    return {
        **{file: set(_fields(schema)) for file, schema in SCHEMAS.items()},
        "component": components | set(_parameters("scheduler", _own_schedules())),
        "model": set(_parameters("model", registry.names("model"))),
        "workflow": set(_properties(workflow, workflow)),
    }


def _fields(schema: type[BaseModel]) -> Iterator[str]:
    """The fields of a schema class and of those that it is made of, each where it is defined."""
    for each in _records(schema):
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


def _own_schedules() -> list[str]:
    files = (ROOT / "gait/engine/schedulers").glob("[!_]*.py")
    return [registry.canonical("scheduler", file.stem) for file in files]


def _parameters(kind: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from (f"{name}.{key}" for key in registry.parameters(kind, name).all)


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    """The dotted paths of a JSON schema, down to what holds no keys of its own."""
    if reference := schema.get("$ref"):
        schema = root["$defs"][reference.rpartition("/")[2]]
    for key, inner in schema.get("properties", {}).items():
        within = [f"{key}.{each}" for each in _properties(inner, root)]
        yield from within or [key]
