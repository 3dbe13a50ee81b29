"""Reads YAML so that each value knows where it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gait.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a value comes from; its line, from 1 on, or 0 where that is the name itself."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else f"the name {self.file}"


# By dotted path.
Origins = dict[str, Origin]


class _Loader(yaml.SafeLoader):
    """Safe YAML in which 1e-4 is a number, as everywhere outside YAML 1.1."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> tuple[dict[str, Any], Origins]:
    """The mapping in a YAML file, and the origin of each value by its dotted path.

    Raises:
        ConfigError: the file is missing, is not YAML, is no mapping, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason})") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, source: Path) -> tuple[dict[str, Any], Origins]:
    """The mapping in a YAML text; `source` stands in messages. As `read_yaml`."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            kind = node.tag.rpartition(":")[2]
            raise ConfigError(f"{source}: expected a mapping at the top, got {kind}")
        origins: dict[str, Origin] = {}
        _collect(node, "", source, origins)
        data: dict[str, Any] = loader.construct_document(node)
        return data, origins
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: is not valid YAML: {' '.join(str(error).split())}") from None


def write_yaml(data: dict[str, Any]) -> str:
    """`data` as YAML text, keys in the given order."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=99)


def _collect(node: yaml.MappingNode, prefix: str, path: Path, origins: dict[str, Origin]) -> None:
    seen = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            raise ConfigError(f"{path}:{key.start_mark.line + 1}: {prefix}{name} is given twice")
        seen.add(name)
        origins[prefix + name] = Origin(path, key.start_mark.line + 1)
        if isinstance(value, yaml.MappingNode):
            _collect(value, f"{prefix}{name}.", path, origins)


def place_of(origins: Origins, path: str, fallback: Path) -> Origin | Path:
    """Where `path` was written, or the nearest mapping around it, or `fallback`."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        if (found := origins.get(".".join(parts[:end]))) is not None:
            return found
    return fallback
