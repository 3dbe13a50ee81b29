"""Finds models, losses, transforms, samplers, layouts and segmenters by name.

A component is one file in the folder of its kind; the file's name is the component's name in
lower case, with or without underscores (`random_erasing.py` holds `RandomErasing`). Names and
parameters are read from the source text, so that checking a configuration imports nothing.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gait.errors import ConfigError, GaitError, nearest

KINDS = {
    "model": "gait.models",
    "backbone": "gait.layers.backbones",
    "loss": "gait.losses",
    "transform": "gait.data.transforms",
    "sampler": "gait.data.samplers",
    "layout": "gait.prepare.catalogue.layouts",
    "segmenter": "gait.prepare.silhouettes.segmenters",
    "optimizer": "torch.optim",
    "scheduler": "gait.engine.schedulers",
}

# Supplied by the program, never by a configuration.
DERIVED = {
    "model": {"num_classes", "num_categories", "num_joints", "height_px", "width_px"},
    "optimizer": {"params"},
    "scheduler": {"optimizer"},
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters a component takes from a configuration.

    Attributes:
        required: those without a default.
        defaults: the others, with their defaults; None for one that is no plain value.
    """

    required: frozenset[str]
    defaults: dict[str, Any]

    @property
    def optional(self) -> frozenset[str]:
        return frozenset(self.defaults)

    @property
    def all(self) -> frozenset[str]:
        return self.required | self.optional


def names(kind: str) -> list[str]:
    """Every registered name of `kind`, sorted."""
    return sorted(name for name, _ in _components(kind).values())


def canonical(kind: str, name: str) -> str:
    """The spelling of `name` as registered.

    Raises:
        ConfigError: nothing of that name; the message gives the nearest names.
    """
    try:
        return _components(kind)[_normalised(name)][0]
    except KeyError:
        raise ConfigError(f"no {kind} is named {name!r}; {nearest(name, names(kind))}") from None


def get(kind: str, name: str) -> Any:
    """The class registered as `name`; its module, and no other, is imported."""
    name = canonical(kind, name)
    _, path = _components(kind)[_normalised(name)]
    if _torch() in path.parents:
        module = "torch.optim" if kind == "optimizer" else "torch.optim.lr_scheduler"
    else:
        module = f"{KINDS[kind]}.{path.stem}"
    return getattr(importlib.import_module(module), name)


def build(kind: str, component: dict[str, Any], **derived: Any) -> Any:
    """Make a component from its configuration.

    Args:
        kind: one of `KINDS`.
        component: `name` and the component's parameters.
        derived: values that the program knows; those the component does not take are left out.
    """
    settings = {key: value for key, value in component.items() if key != "name"}
    wanted = _signature(kind, canonical(kind, component["name"])).all
    known = {key: value for key, value in derived.items() if key in wanted}
    try:
        return get(kind, component["name"])(**known, **settings)
    # Torch says of an impossible size that it is a RuntimeError.
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, GaitError):
            raise
        raise ConfigError(
            f"{kind} {component['name']} cannot be made from {settings}: {error}"
        ) from error


def parameters(kind: str, name: str) -> Parameters:
    """The parameters that a configuration may give to component `name`."""
    signature = _signature(kind, canonical(kind, name))
    derived = DERIVED.get(kind, set())
    defaults = {key: each for key, each in signature.defaults.items() if key not in derived}
    return Parameters(signature.required - derived, defaults)


def takes(kind: str, name: str) -> str:
    """The type that component `name` is called with, as its source annotates it."""
    name = canonical(kind, name)
    _, path = _components(kind)[_normalised(name)]
    for definition, _ in _lineage(path, name):
        for node in definition.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__call__":
                annotation = node.args.args[1].annotation
                return "" if annotation is None else ast.unparse(annotation)
    return ""


def constant(kind: str, name: str, attribute: str) -> Any:
    """A plain value that the class of component `name` gives an attribute; None without one."""
    name = canonical(kind, name)
    _, path = _components(kind)[_normalised(name)]
    for node in _definition(path, name).body:
        if isinstance(node, ast.Assign) and attribute in map(ast.unparse, node.targets):
            return _literal(node.value)
    return None


def with_defaults(kind: str, component: dict[str, Any]) -> dict[str, Any]:
    """A component's configuration with the defaults of the parameters that it leaves out."""
    whole = {**parameters(kind, component["name"]).defaults, **component}
    return {
        key: with_defaults(key, value) if key in KINDS and isinstance(value, dict) else value
        for key, value in whole.items()
    }


def check(kind: str, component: dict[str, Any], where: str = "") -> list[str]:
    """Problems of a component's configuration, each one sentence; empty when it can be built.

    A parameter named like a kind, such as a model's `backbone`, is a component itself.
    """
    where = where or kind
    name = component.get("name")
    if not isinstance(name, str):
        return [f"{where}: expected a mapping with 'name', got {component!r}"]
    try:
        known = parameters(kind, name)
    except ConfigError as error:
        return [f"{where}.name: {error}"]
    given = set(component) - {"name"}
    derived = DERIVED.get(kind, set())
    problems = [
        f"{where}.{key}: is derived from the data and cannot be set; remove it"
        if key in derived
        else f"{where}.{key}: {name} has no such parameter; {nearest(key, known.all)}"
        for key in sorted(given - known.all)
    ]
    problems += [
        f"{where}.{key}: {name} needs this parameter" for key in sorted(known.required - given)
    ]
    for key in sorted(given & known.all & set(KINDS)):
        if isinstance(component[key], dict):
            problems += check(key, component[key], f"{where}.{key}")
    return problems


def _normalised(name: str) -> str:
    return name.replace("_", "").lower()


@cache
def _components(kind: str) -> dict[str, tuple[str, Path]]:
    """Normalised name -> (name, file)."""
    if kind == "optimizer":
        files = [
            path for path in (_torch() / "optim").glob("[!_]*.py") if path.stem != "optimizer"
        ]
        classes = [(node, path) for path in files for node in _parsed(path).body]
        return {
            _normalised(node.name): (node.name, path)
            for node, path in classes
            if isinstance(node, ast.ClassDef) and _bases(node) & {"Optimizer", "Adam"}
        }
    components = _torch_schedulers() if kind == "scheduler" else {}
    folder = Path(__file__).parent.joinpath(*KINDS[kind].split(".")[1:])
    for path in sorted(folder.glob("*.py")):
        if path.stem.startswith("_"):
            continue
        key = _normalised(path.stem)
        if key in components:
            raise ConfigError(
                f"two files are named for the same {kind}: {components[key][1]} and {path}; "
                "rename one"
            )
        components[key] = (_definition(path).name, path)
    return components


def _torch_schedulers() -> dict[str, tuple[str, Path]]:
    # ReduceLROnPlateau waits for a metric that an iteration does not have.
    path = _torch() / "optim" / "lr_scheduler.py"
    return {
        _normalised(node.name): (node.name, path)
        for node in _parsed(path).body
        if isinstance(node, ast.ClassDef)
        and "LRScheduler" in _bases(node)
        and node.name != "ReduceLROnPlateau"
    }


def _bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base) for base in node.bases}


def _torch() -> Path:
    spec = importlib.util.find_spec("torch")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _definition(path: Path, name: str | None = None) -> ast.ClassDef:
    wanted = name or path.stem
    for node in _parsed(path).body:
        if isinstance(node, ast.ClassDef) and _normalised(node.name) == _normalised(wanted):
            return node
    raise ConfigError(f"{path}: expected a class named like the file, found none")


def _lineage(path: Path, name: str) -> Iterator[tuple[ast.ClassDef, Path]]:
    """A class and those that it inherits, nearest first, as far as they are in this package.

    Of several bases, each comes with its own before the next one.
    """
    waiting = [(path, name)]
    seen = set()
    while waiting:
        place, wanted = waiting.pop(0)
        definition = next(
            (
                node
                for node in _parsed(place).body
                if isinstance(node, ast.ClassDef) and node.name == wanted
            ),
            None,
        )
        if definition is None or (place, wanted) in seen:
            continue
        seen.add((place, wanted))
        yield definition, place
        imported = _imported(place)
        waiting[:0] = [
            imported.get(base, (place, base)) for base in map(ast.unparse, definition.bases)
        ]


@cache
def _imported(path: Path) -> dict[str, tuple[Path, str]]:
    """Where the names come from that a file imports from this package: file, and name there."""
    package = Path(__file__).parent
    found = {}
    for node in _parsed(path).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            folder = path.parents[node.level - 1]
        elif (node.module or "").split(".")[0] == package.name:
            folder = package.parent
        else:
            continue
        parts = (node.module or "").split(".") if node.module else []
        for each in node.names:
            module = folder.joinpath(*parts)
            if module.is_dir():
                module = module / "__init__"
            known = each.asname or each.name
            if module.with_suffix(".py").is_file():
                found[known] = (module.with_suffix(".py"), each.name)
            # `import module`, and a class by its dotted name.
            if (inner := folder.joinpath(*parts, f"{each.name}.py")).is_file():
                for base in _parsed(inner).body:
                    if isinstance(base, ast.ClassDef):
                        found[f"{known}.{base.name}"] = (inner, base.name)
    return found


def _signature(kind: str, name: str) -> Parameters:
    _, path = _components(kind)[_normalised(name)]
    required: set[str] = set()
    given: dict[str, Any] = {}
    fields_only = False
    # What a class gives its base itself.
    given_on: set[str] = set()
    leading = 0
    for definition, _ in _lineage(path, _definition(path, name).name):
        constructor = next(
            (
                node
                for node in definition.body
                if isinstance(node, ast.FunctionDef) and node.name == "__init__"
            ),
            None,
        )
        if constructor is None:
            is_dataclass = any("dataclass" in ast.unparse(d) for d in definition.decorator_list)
            for field in definition.body if is_dataclass else []:
                if isinstance(field, ast.AnnAssign):
                    _note(ast.unparse(field.target), field.value, required, given)
            fields_only = fields_only or is_dataclass
            continue
        if fields_only:
            # A dataclass makes a constructor of its own, which takes the place of this one.
            break
        positional = [each.arg for each in constructor.args.args[1:]]
        defaults = constructor.args.defaults
        missing: list[ast.expr | None] = [None] * (len(positional) - len(defaults))
        given_on |= set(positional[:leading])
        for key, value in zip(positional, [*missing, *defaults], strict=True):
            if key not in given_on:
                _note(key, value, required, given)
        keyword = zip(constructor.args.kwonlyargs, constructor.args.kw_defaults, strict=True)
        for each, default in keyword:
            if each.arg not in given_on:
                _note(each.arg, default, required, given)
        # One that passes on what it does not know takes what its base takes, too.
        if constructor.args.kwarg is None:
            break
        leading = 0
        for node in ast.walk(constructor):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
                leading = len(node.args)
                given_on |= {each.arg for each in node.keywords if each.arg is not None}
    return Parameters(frozenset(required), given)


def _note(name: str, default: ast.expr | None, required: set[str], given: dict[str, Any]) -> None:
    """Add a parameter, unless a nearer class has it already."""
    if name in required or name in given:
        return
    if default is None:
        required.add(name)
    else:
        given[name] = _literal(default)


def _literal(node: ast.expr) -> Any:
    """A plain value as a configuration would hold it; None for anything else."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return list(value) if isinstance(value, tuple) else value
