"""Checks `config/config.yaml` against the workflow's schema, all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from gait.config.yaml import read_yaml
from gait.errors import ConfigError, nearest


def check_settings(settings: dict[str, Any], schema: Path) -> None:
    """Check the workflow's configuration.

    Args:
        settings: the configuration as Snakemake merged it.
        schema: the JSON schema, as YAML.

    Raises:
        ConfigError: every problem, an unknown key with the nearest known one.
    """
    errors = Draft202012Validator(read_yaml(schema)[0]).iter_errors(settings)
    problems = [problem for error in errors for problem in _sentences(error)]
    if problems:
        raise ConfigError(sorted(problems))


def _sentences(error: ValidationError) -> list[str]:
    where = "".join(f"{part}." for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        return [
            f"config/config.yaml: {where}{key}: unknown key; {nearest(key, known)}"
            for key in sorted(set(error.instance) - set(known))
        ]
    return [f"config/config.yaml: {where.rstrip('.') or 'at the top'}: {error.message}"]
