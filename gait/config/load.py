"""Loads, merges and checks configuration: defaults < model < experiment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gait import registry
from gait.config.components import component_problems, least_of
from gait.config.dataset import NAME, Dataset, named_subjects
from gait.config.experiment import SCORED, Experiment
from gait.config.partition import is_json, read_partition
from gait.config.resolved import Resolved
from gait.config.schema import mistaken_booleans, problems_of
from gait.config.yaml import Origin, Origins, place_of, read_yaml
from gait.errors import ConfigError, nearest
from gait.formats.seal import check_yaml_seal
from gait.limits import YAML_BYTES

Model = TypeVar("Model", bound=BaseModel)
# Behind a save_name: another seed than the experiment's own.
SEED = r"@(?:0|[1-9]\d*)"

_RESOLVE_AGAIN = "delete it and run the workflow again, or write it again with gait config"


def experiment_names(root: Path) -> list[tuple[str, str, str]]:
    """Every (dataset, model, save_name) that has a file under `config/experiments`, sorted.

    Those that `misnamed_experiments` tells of are left out.
    """
    return [_key(path) for path in _experiment_files(root) if not _unfit(path)]


def misnamed_experiments(root: Path) -> list[str]:
    """A sentence for each file under `config/experiments` whose name no output can have."""
    return [
        f"{path}: {unfit[0]!r} cannot name an output, so it is left out; rename it: expected "
        "letters, digits and _ . + = - only, a letter or digit first"
        for path in _experiment_files(root)
        if (unfit := _unfit(path))
    ]


def _experiment_files(root: Path) -> list[Path]:
    found = (root / "config" / "experiments").glob("*/*/*.yaml")
    return sorted(path for path in found if not path.name.startswith("."))


def _key(file: Path) -> tuple[str, str, str]:
    return file.parts[-3], file.parts[-2], file.stem


def _unfit(file: Path) -> list[str]:
    return [name for name in _key(file) if not re.fullmatch(NAME, name)]


def dataset_names(root: Path) -> list[str]:
    """Every dataset that has a `dataset.yaml`, sorted."""
    return sorted(path.parent.name for path in (root / "datasets").glob("*/dataset.yaml"))


def load_dataset(root: Path, name: str, partition: str | None = None) -> tuple[Dataset, Origins]:
    """A dataset's definition; its partition may lie beside it in `partition.yaml`.

    Args:
        partition: take `partition-<this>.yaml`, or a JSON file by its path from the dataset's
            folder, instead.

    Raises:
        ConfigError: unknown dataset or partition, or all problems of its files.
    """
    path = root / "datasets" / name / "dataset.yaml"
    if not path.exists():
        known = dataset_names(root)
        raise ConfigError(f"no dataset is named {name!r} ({path}); {nearest(name, known)}")
    data, origins = read_yaml(path)
    if (cut := _partition_file(path, data, origins, partition)) is not None:
        data["partition"], places = read_partition(cut)
        origins |= {f"partition.{key}": place for key, place in places.items()}
    layouts = data.get("layouts")
    problems = [
        f"{origins.get('layouts', path)}: {problem}"
        for layout in (layouts if isinstance(layouts, list) else [])
        for problem in registry.check("layout", {"name": layout}, "layouts")
    ]
    if "name" in data:
        problems.append(f"{origins['name']}: name: is that of the folder; remove it")
    dataset = _validated(Dataset, {**data, "name": name}, origins, path, problems)
    return dataset, origins


def _partition_file(
    path: Path, data: dict[str, Any], origins: Origins, partition: str | None
) -> Path | None:
    """The file with the partition of the dataset at `path`; None where `data` hold it."""
    folder, beside = path.parent, path.with_name("partition.yaml")
    if partition is None:
        stated = data.get("partition")
        if stated is not None and beside.is_file():
            raise ConfigError(
                f"{origins['partition']}: partition: stands in {beside} as well; keep one of them"
            )
        if isinstance(stated, str) and is_json(stated):
            return folder / stated
        return beside if beside.is_file() else None
    if is_json(partition):
        return folder / partition
    cut = folder / f"partition-{partition}.yaml"
    if not cut.exists():
        there = [each.stem.removeprefix("partition-") for each in folder.glob("partition-*.yaml")]
        raise ConfigError(
            f"{folder.name} has no partition {partition!r} ({cut}); {nearest(partition, there)}"
        )
    return cut


def load_experiment(
    root: Path, dataset: str, model: str, save_name: str
) -> tuple[Resolved, Origins]:
    """An experiment with every value, and where each value was written.

    Args:
        save_name: `<save_name>@<seed>` is the experiment of that name with another seed.

    Raises:
        ConfigError: all problems of the files involved, each with its place.
    """
    base, at, seed = save_name.partition("@")
    path = root / "config" / "experiments" / dataset / model / f"{base}.yaml"
    if not path.exists():
        known = ["/".join(each) for each in experiment_names(root)]
        wanted = f"{dataset}/{model}/{base}"
        raise ConfigError(f"no experiment is named {wanted} ({path}); {nearest(wanted, known)}")
    if at and not re.fullmatch(SEED, at + seed):
        raise ConfigError(
            f"{dataset}/{model}/{save_name}: expected a seed such as {base}@1, got {seed!r}"
        )
    architecture = root / "config" / "models" / f"{model}.yaml"
    merged, origins = _laid(root / "config" / "defaults.yaml", architecture, path)
    if seed:
        merged["seed"] = int(seed)
        origins["seed"] = Origin(Path(dataset, model, save_name), 0)
    problems = []
    definition = None
    try:
        partition = merged.get("partition")
        definition, _ = load_dataset(
            root, dataset, partition if isinstance(partition, str) else None
        )
    except ConfigError as error:
        problems = error.problems
    problems += component_problems(merged, origins, path)
    experiment = _validated(Experiment, merged, origins, path, problems)
    assert definition is not None
    others = []
    for name in experiment.train_on:
        try:
            others.append(load_dataset(root, name)[0])
        except ConfigError as error:
            place = place_of(origins, "train_on", path)
            problems += [f"{place}: train_on: {each}" for each in error.problems]
    if dataset in experiment.train_on:
        place = place_of(origins, "train_on", path)
        problems.append(f"{place}: train_on: {dataset} is trained on anyway; remove it")
    known = ["/".join(each) for each in experiment_names(root)]
    problems += [
        f"{place_of(origins, 'init_from', path)}: init_from: no experiment is named "
        f"{each.experiment}; {nearest(each.experiment, known)}"
        for each in experiment.init_from
        if each.experiment not in known
    ]
    if problems:
        raise ConfigError(problems)
    if lonely := _lonely(experiment, definition):
        raise ConfigError(f"{place_of(origins, 'losses', path)}: {lonely}")
    if unfit := _unfit_protocols(experiment, definition):
        place = origins.get("evaluation.protocols", path)
        raise ConfigError(f"{place}: evaluation.protocols: {each}" for each in unfit)
    resolved = Resolved(
        dataset=definition, model=model, save_name=save_name, experiment=experiment, others=others
    )
    if experiment.logging.evaluate_every is not None and not resolved.validation_protocols:
        kinds = ", ".join(dict.fromkeys(each.kind for each in resolved.protocols.values()))
        raise ConfigError(
            f"{place_of(origins, 'logging.evaluate_every', path)}: logging.evaluate_every: "
            f"expected a protocol of {dataset} that can be scored while training, got "
            f"{f'the kind {kinds} only' if kinds else 'none'}; remove it"
        )
    return resolved, origins


def load_named(root: Path, name: str) -> tuple[Resolved, Origins]:
    """The experiment `<dataset>/<model>/<save_name>`, or `.../on-<dataset>` tested on another one.

    Either save_name may have another seed behind it, see `load_experiment`.

    Raises:
        ConfigError: the name is none, or all problems of the files involved.
    """
    match name.split("/"):
        case dataset, model, save_name:
            return load_experiment(root, dataset, model, save_name)
        case dataset, model, save_name, on if on.startswith("on-"):
            resolved, origins = load_experiment(root, dataset, model, save_name)
            return resolved.tested_on(load_dataset(root, on.removeprefix("on-"))[0]), origins
    raise ConfigError(
        f"{name!r}: expected <dataset>/<model>/<save_name>, or with /on-<dataset> behind it to "
        "test on another dataset"
    )


def model_names(root: Path) -> list[str]:
    """Every model that has a file under `config/models`, sorted."""
    return sorted(path.stem for path in (root / "config" / "models").glob("[!.]*.yaml"))


def load_recipe(root: Path, model: str) -> Experiment:
    """A model as an experiment that changes nothing would have it.

    Raises:
        ConfigError: all problems of the files involved, each with its place.
    """
    path = root / "config" / "models" / f"{model}.yaml"
    if not path.exists():
        known = model_names(root)
        raise ConfigError(f"no model is named {model!r} ({path}); {nearest(model, known)}")
    merged, origins = _laid(root / "config" / "defaults.yaml", path)
    problems = component_problems(merged, origins, path)
    return _validated(Experiment, merged, origins, path, problems)


def read_resolved(path: Path) -> Resolved:
    """A resolved experiment as `gait config` wrote it.

    Raises:
        ConfigError: the file cannot be read, differs from the digest on its last line, or is no
            resolved experiment.
    """
    # What cannot be read, or is too large, is told by the reader of YAML.
    with suppress(OSError):
        if path.stat().st_size <= YAML_BYTES.value:
            check_yaml_seal(path, path.read_bytes(), _RESOLVE_AGAIN, ConfigError)
    data, origins = read_yaml(path)
    return _validated(Resolved, data, origins, path, [])


def merge(
    base: dict[str, Any], over: Mapping[str, Any], base_at: Origins, over_at: Origins
) -> tuple[dict[str, Any], Origins]:
    """`over` laid on `base`: mappings are merged, anything else is replaced.

    A mapping that names another component than the one below replaces it whole, so that the
    settings of one optimiser never reach another; null takes a mapping, such as a loss, away.
    """
    merged, origins = dict(base), dict(base_at)

    def lay(below: dict[str, Any], above: Mapping[str, Any], prefix: str) -> None:
        for key, value in above.items():
            path = prefix + str(key)
            old = below.get(key)
            if value is None and isinstance(old, Mapping):
                del below[key]
                for stale in [each for each in origins if f"{each}.".startswith(f"{path}.")]:
                    del origins[stale]
                continue
            another = isinstance(value, Mapping) and "name" in value
            another = another and isinstance(old, Mapping) and old.get("name") != value["name"]
            if isinstance(value, Mapping) and isinstance(old, Mapping) and not another:
                below[key] = dict(old)
                lay(below[key], value, path + ".")
            else:
                for stale in [each for each in origins if each.startswith(path + ".")]:
                    del origins[stale]
                below[key] = value
            for each, place in over_at.items():
                if each == path or each.startswith(path + "."):
                    origins[each] = place

    lay(merged, over, "")
    return merged, origins


def _laid(*layers: Path) -> tuple[dict[str, Any], Origins]:
    """Files on top of each other, the last one uppermost."""
    merged: dict[str, Any] = {}
    origins: Origins = {}
    for layer in layers:
        data, places = read_yaml(layer)
        merged, origins = merge(merged, data, origins, places)
    return merged, origins


def _unfit_protocols(experiment: Experiment, dataset: Dataset) -> list[str]:
    """What is wrong with the protocols that an experiment names."""
    output = experiment.evaluation.output
    problems = []
    for name in sorted(experiment.evaluation.protocols or []):
        if (known := dataset.protocols.get(name)) is None:
            problems.append(
                f"{dataset.name} has no protocol {name!r}; {nearest(name, dataset.protocols)}"
            )
        elif SCORED[known.kind] != output:
            problems.append(
                f"{name} is a {known.kind}, which scores the output {SCORED[known.kind]!r}, and "
                f"evaluation.output is {output!r}"
            )
    return problems


def _lonely(experiment: Experiment, dataset: Dataset) -> str:
    """What is wrong with losses that compare subjects, where the partition has no two of them."""
    named = dataset.partition.train
    if not experiment.iterations or experiment.weights or experiment.train_on or "*" in named:
        return ""
    there = len(named_subjects(named))
    for name, loss in experiment.losses.items():
        least = least_of({"name": loss.name}, "subjects")
        if loss.target == "identity" and there < least:
            return (
                f"losses.{name}: {loss.name} compares {least} subjects or more, and the partition "
                f"of {dataset.name} has {there} to train on; add some, or take the loss away"
            )
    return ""


def describe(experiment: Experiment, origins: Origins) -> str:
    """Each value of an experiment on a line, with the file and line it was written in."""
    lines: list[tuple[str, str]] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, each in value.items():
                walk(each, f"{path}.{key}" if path else str(key))
        else:
            lines.append((f"{path}: {value}", str(origins.get(path, "built-in default"))))

    walk(experiment.model_dump(mode="json"), "")
    width = max(len(text) for text, _ in lines)
    return "\n".join(f"{text:<{width}}  # {place}" for text, place in lines)


def validated(model: type[Model], data: dict[str, Any], source: str) -> Model:
    """`data` as a record of the schema `model`.

    Raises:
        ConfigError: all problems; `source` says where the data come from.
    """
    return _validated(model, data, {}, Path(source), [])


def _validated(
    model: type[Model], data: dict[str, Any], origins: Origins, file: Path, problems: list[str]
) -> Model:
    try:
        valid = model.model_validate(data)
    except ValidationError as error:
        problems = problems + [
            f"{place_of(origins, path, file)}: {path}: {what}"
            for path, what in problems_of(error, model, origins)
        ]
    else:
        problems = problems + [
            f"{place_of(origins, path, file)}: {path}: expected a number, got a boolean"
            for path in mistaken_booleans(data, valid)
        ]
    if problems:
        raise ConfigError(problems)
    return valid
