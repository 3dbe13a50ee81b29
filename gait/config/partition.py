"""Reads the file that says who trains and who tests: ours, or the JSON that is customary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gait.config.yaml import Origin, check_text, read_text, read_yaml
from gait.errors import ConfigError, nearest
from gait.limits import JSON_BYTES

# What the JSON calls the subjects of each set, and its lists of sequences.
_SETS = {"TRAIN_SET": "train", "TEST_SET": "test"}
_LISTS = {"PROBE_SET": "probes", "GALLERY_SET": "gallery"}


def is_json(name: str) -> bool:
    """Whether a partition is given as a JSON file, by its path from the dataset's folder."""
    return name.endswith(".json")


def read_partition(path: Path) -> tuple[dict[str, Any], dict[str, Origin]]:
    """A partition as its schema wants it, and the origin of each value by its dotted path.

    In a JSON file TRAIN_SET and TEST_SET list subjects, PROBE_SET and GALLERY_SET sequences as
    `<subject>-<condition>-<view>`, which become the lists `probes` and `gallery`. Of more than two
    `-`, the first ends the subject and the last begins the view.

    Raises:
        ConfigError: the file cannot be read, or is not of that form.
    """
    if not is_json(path.name):
        return read_yaml(path)
    text = read_text(path, JSON_BYTES)
    try:
        # No number has a meaning here, however many digits it has.
        stated = json.loads(text, object_pairs_hook=_once, parse_int=float)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deep for a partition") from None
    except ValueError as error:
        raise ConfigError(f"{path}: is not valid JSON: {error}") from None
    if not isinstance(stated, dict) or not _SETS.keys() <= stated.keys():
        raise ConfigError(f"{path}: expected lists of subjects under TRAIN_SET and TEST_SET")
    known = _SETS | _LISTS
    partition: dict[str, Any] = {}
    origins = {}
    for key, names in stated.items():
        # A key may be written with escapes; then only the file is known.
        at = text.find(f'"{key}"')
        place = Origin(path, text.count("\n", 0, at) + 1 if at >= 0 else -1)
        is_list = isinstance(names, list) and all(isinstance(each, str) for each in names)
        for name in [key, *(names if is_list else [])]:
            check_text(name, place, "a name")
        if key not in known:
            raise ConfigError(f"{place}: {key} is unknown; {nearest(key, known)}")
        if not is_list:
            raise ConfigError(f'{place}: {key}: expected a list of names such as ["001", "002"]')
        if key in _SETS:
            partition[_SETS[key]] = names
            origins[_SETS[key]] = place
        else:
            listed = [_key(name, place) for name in names]
            partition.setdefault("sequences", {})[_LISTS[key]] = listed
            origins[f"sequences.{_LISTS[key]}"] = place
    return partition, origins


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which each key is given once."""
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} is given twice")
        found[key] = value
    return found


def _key(name: str, place: Origin) -> str:
    subject, _, rest = name.partition("-")
    condition, _, view = rest.rpartition("-")
    if not (subject and condition and view):
        raise ConfigError(f"{place}: expected <subject>-<condition>-<view>, got {name!r}")
    return f"{subject}/{condition}/{view}"
