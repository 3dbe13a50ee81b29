"""Checks `config/config.yaml` against the workflow's schema, all problems at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from gait.config.yaml import read_yaml
from gait.errors import ConfigError, nearest

# Characters of a wrong value that an error shows.
_LONGEST = 200


def check_settings(
    settings: dict[str, Any],
    schema: Path,
    files: Iterable[Path] = (),
    given: Mapping[str, Any] | None = None,
) -> None:
    """Check the workflow's configuration, and give values of the command line their types.

    Args:
        settings: the configuration as Snakemake merged it.
        schema: the JSON schema, as YAML.
        files: where it comes from; Snakemake itself takes 010 for 8, and the last of equal keys.
        given: what `--config` laid on top, of which Snakemake leaves much as text.

    Raises:
        ConfigError: every problem, an unknown key with the nearest known one.
    """
    for file in files:
        read_yaml(file)
    stated = read_yaml(schema)[0]
    _lay(settings, _typed(given or {}, stated, stated))
    errors = Draft202012Validator(stated).iter_errors(settings)
    problems = [problem for error in errors for problem in _sentences(error)]
    if problems:
        raise ConfigError(sorted(problems))


def _lay(below: dict[str, Any], above: dict[str, Any]) -> None:
    """Put the values of `above` in the place of those of `below`, key by key."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay(below[key], value)
        else:
            below[key] = value


def _typed(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """A value of the command line as its schema wants it, if its text can be that."""
    if reference := schema.get("$ref"):
        schema = root["$defs"][reference.rpartition("/")[2]]
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        return {key: _typed(each, known.get(key, {}), root) for key, each in value.items()}
    if isinstance(value, list):
        return [_typed(each, schema.get("items", {}), root) for each in value]
    # What no schema knows, as parameters of a segmenter, is what it looks like.
    wanted = schema.get("type", "any")
    if not isinstance(value, str) or wanted not in ("integer", "number", "boolean", "any"):
        return value
    if wanted != "boolean" and re.fullmatch(r"[-+]?(0|[1-9][0-9]{0,17})", value):
        return int(value)
    if wanted in ("number", "any") and re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", value):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    if wanted in ("boolean", "any") and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


def _sentences(error: ValidationError) -> list[str]:
    where = "".join(f"{part}." for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        return [
            f"config/config.yaml: {where}{key}: unknown key; {nearest(key, known)}"
            for key in sorted(set(error.instance) - set(known))
        ]
    what = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}..."
    return [f"config/config.yaml: {where.rstrip('.') or 'at the top'}: {what}"]
