"""Reads YAML so that each value knows where it was written, whoever wrote it.

What is read is text, numbers, booleans, lists and mappings: no dates, no objects, no key that is
no text, and no number that is another one than it looks like.
"""

from __future__ import annotations

import math
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.resolver import Resolver

from gait.errors import ConfigError
from gait.limits import LIST_ITEMS, YAML_BYTES, Limit

# Deeper than any file of ours by far, and well within what Python recurses.
_DEPTH = 64
_KEY_LENGTH = 1000
# Aliases, and the keys above a value in its origin, repeat text: so many times the longest file.
_REPETITION = 16
_WHOLE = range(-(2**63), 2**64)

_TAG = "tag:yaml.org,2002:"
_STR, _INT, _FLOAT, _BOOL = (f"{_TAG}{each}" for each in ("str", "int", "float", "bool"))
_NULL, _DATE, _MERGE = (f"{_TAG}{each}" for each in ("null", "timestamp", "merge"))
_KINDS = {_INT: "number", _FLOAT: "number", _BOOL: "boolean", _NULL: "null", _DATE: "date"}
# Octal: 010 is 8.
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
# Line feeds and tabs apart, nothing that acts on a terminal or cannot be written as UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NUMBER = re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$")


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a value comes from.

    Attributes:
        line: from 1 on; 0 where the name itself is the value, -1 where only the file is known.
        text: what stands there, of a value that is neither text nor written as Python has it.
    """

    file: Path
    line: int
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        if self.line < 0:
            return str(self.file)
        return f"{self.file}:{self.line}" if self.line else f"the name {self.file}"


# By dotted path.
Origins = dict[str, Origin]


class _Loader(Composer, CParser, SafeConstructor, Resolver):
    """Safe YAML, parsed in C and composed here, in which 1e-4 is a number, as outside YAML 1.1.

    Attributes:
        depth: how many nodes are being composed.
        items: values that the nodes composed so far stand for, aliases written out.
        sizes: the same of each whole node, by its identity.
    """

    def __init__(self, text: str, source: Path) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self.source = source
        self.depth = 0
        self.items = 0
        self.most_items = LIST_ITEMS.value
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One node and what it holds, as far as that is what a file may stand for."""
        event: Any = self.peek_event()
        place = Origin(self.source, event.start_mark.line + 1)
        if self.depth == _DEPTH:
            raise ConfigError(f"{place}: is nested more than {_DEPTH} levels deep")
        self.depth += 1
        before = self.items
        node: yaml.Node | None = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self.sizes:
                raise ConfigError(f"{place}: what *{event.anchor} stands for holds itself")
            self.items += self.sizes[id(node)]
        else:
            self.items += 1
            self.sizes[id(node)] = self.items - before
        self.depth -= 1
        if self.items > self.most_items:
            raise ConfigError(
                f"{place}: the file stands for more than {self.most_items:,} values, aliases "
                f"written out; shorten it, or set {LIST_ITEMS.variable} in the environment"
            )
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes what `_Loader` would read as a number."""


for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver(_FLOAT, _NUMBER, list("-+0123456789"))


def read_yaml(path: Path) -> tuple[dict[str, Any], Origins]:
    """The mapping in a YAML file, and the origin of each value by its dotted path.

    Raises:
        ConfigError: the file is missing or too large, is not YAML, is no mapping, gives a key
            twice, or holds what a configuration cannot; the message names the line.
    """
    return parse_yaml(read_text(path, YAML_BYTES), path)


def read_text(path: Path, limit: Limit) -> str:
    """The text of a file of at most so many bytes, without a byte order mark.

    Raises:
        ConfigError: it cannot be read, is longer, or is not UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path}: cannot be read (it is no file)")
        with path.open("rb") as file:
            data = file.read(limit.value + 1)
        if len(data) > limit.value:
            raise ConfigError(
                f"{path}: expected at most {limit.value:,} bytes, got more; if it is right, set "
                f"{limit.variable} in the environment"
            )
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason})") from None


def parse_yaml(text: str, source: Path) -> tuple[dict[str, Any], Origins]:
    """The mapping in a YAML text; `source` stands in messages. As `read_yaml`."""
    try:
        loader = _Loader(text, source)
        node = loader.get_single_node()
    except ConfigError:
        raise
    # A character or a version that is no number, of which the library is not aware.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigError(f"{source}: is not valid YAML: {' '.join(str(error).split())}") from None
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        kind = node.tag.rpartition(":")[2]
        raise ConfigError(f"{source}: expected a mapping at the top, got {kind}")
    reading = _Reading(loader, source)
    return reading.value(node, "", 0), reading.origins


def write_yaml(data: dict[str, Any]) -> str:
    """`data` as YAML text, keys in the given order."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=99)
    return text


def check_text(text: str, place: Origin | Path, where: str) -> None:
    """Refuse text that cannot be part of a name, a message or a file.

    Raises:
        ConfigError: it holds a control character, or half a character.
    """
    if wrong := _UNPRINTABLE.search(text):
        raise ConfigError(f"{place}: {where}: holds the character {wrong[0]!r}; remove it")


class _Reading:
    """Makes values of a document's nodes.

    Attributes:
        origins: where each value of a mapping was written.
    """

    def __init__(self, loader: _Loader, source: Path) -> None:
        self.loader = loader
        self.source = source
        self.origins: Origins = {}
        self.characters_left = _REPETITION * YAML_BYTES.value

    def value(self, node: yaml.Node, path: str, depth: int) -> Any:
        """What a node stands for; `path` is that of the value, with dots."""
        self._spend(node, len(path) + (len(node.value) if isinstance(node.value, str) else 0))
        if depth > _DEPTH:
            # By aliases, as the document itself is not that deep.
            self._refuse(node, path, f"is nested more than {_DEPTH} levels deep")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [
                self.value(each, f"{path}.{index}", depth + 1)
                for index, each in enumerate(node.value)
            ]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return self._unknown_tag(node, path)

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                found |= self._merged(value, path, depth)
        prefix = f"{path}." if path else ""
        own = set()
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            name = self._key(key, path)
            if name in own:
                raise ConfigError(f"{self._place(key)}: {prefix}{name} is given twice")
            own.add(name)
            self.origins[prefix + name] = self._place(key)
            found[name] = self.value(value, prefix + name, depth + 1)
        return found

    def _merged(self, node: yaml.Node, path: str, depth: int) -> dict[str, Any]:
        """What `<<` brings in: a mapping, or several, of which the first one has precedence."""
        several = isinstance(node, yaml.SequenceNode)
        found: dict[str, Any] = {}
        for each in reversed(node.value) if several else [node]:
            if not isinstance(each, yaml.MappingNode):
                self._refuse(each, path, "<< takes a mapping, or a list of mappings")
            found |= self.value(each, path, depth + 1)
        return found

    def _key(self, node: yaml.Node, path: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, path, "expected a key that is text, got a list or a mapping")
        if node.tag != _STR:
            kind = _KINDS.get(node.tag, "tag")
            what = f"the key {node.value} is read as a {kind}; put it in quotes: '{node.value}'"
            self._refuse(node, path, what)
        if len(node.value) > _KEY_LENGTH:
            what = f"expected a key of at most {_KEY_LENGTH} characters, got {len(node.value):,}"
            self._refuse(node, path, what)
        check_text(node.value, self._place(node), path or "a key")
        name: str = node.value
        return name

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Any:
        text: str = node.value
        if node.tag == _STR:
            check_text(text, self._place(node), path)
            return text
        if node.tag != self.loader.resolve(yaml.ScalarNode, text, (True, False)):  # type: ignore[no-untyped-call]
            return self._unknown_tag(node, path)
        if node.tag not in _KINDS or node.tag == _DATE:
            kind = "a date" if node.tag == _DATE else "a sign of YAML's own"
            self._refuse(node, path, f"{text} is read as {kind}; put it in quotes: '{text}'")
        value = self._constructed(node, path)
        if text != str(value):
            known = self.origins.get(path)
            place = self._place(node) if known is None else known
            self.origins[path] = Origin(place.file, place.line, text)
        return value

    def _constructed(self, node: yaml.ScalarNode, path: str) -> Any:
        """A number, boolean or null."""
        text = node.value
        try:
            value = self.loader.construct_object(node)
        except (ValueError, OverflowError):
            self._refuse(node, path, f"expected a number of usual size, got {len(text):,} digits")
        # Of base 60, as 1:30, which is 90, few know either.
        if ":" in text or (node.tag == _INT and _LEADING_ZERO.fullmatch(text)):
            what = f"{text} is read as the number {value}; put it in quotes: '{text}'"
            self._refuse(node, path, f"{what}, or write {value}")
        if node.tag == _FLOAT and not math.isfinite(value):
            self._refuse(node, path, f"expected a finite number, got {text}")
        if node.tag == _INT and value not in _WHOLE:
            self._refuse(node, path, f"expected a whole number of at most 64 bits, got {text}")
        return value

    def _spend(self, node: yaml.Node, characters: int) -> None:
        self.characters_left -= characters
        if self.characters_left < 0:
            raise ConfigError(
                f"{self._place(node)}: the file stands for more than "
                f"{_REPETITION * YAML_BYTES.value:,} characters, aliases and the keys above each "
                f"value written out; shorten it, or set {YAML_BYTES.variable} in the environment"
            )

    def _unknown_tag(self, node: yaml.Node, path: str) -> NoReturn:
        tag = node.tag.replace(_TAG, "!!")
        self._refuse(node, path, f"the tag {tag} is unknown here, or does not fit; remove it")

    def _refuse(self, node: yaml.Node, path: str, what: str) -> NoReturn:
        raise ConfigError(f"{self._place(node)}: {path + ': ' if path else ''}{what}")

    def _place(self, node: yaml.Node) -> Origin:
        return Origin(self.source, node.start_mark.line + 1)


def place_of(origins: Origins, path: str, fallback: Path) -> Origin | Path:
    """Where `path` was written, or the nearest mapping around it, or `fallback`."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        if (found := origins.get(".".join(parts[:end]))) is not None:
            return found
    return fallback
