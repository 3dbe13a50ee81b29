"""Reads foreign configurations so that no key passes unseen."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gait.errors import ConfigError


class ConversionWarning(UserWarning):
    """A key of a foreign configuration was not carried, as it never had an effect there."""


@dataclass(frozen=True, slots=True)
class Note:
    """A key that is not carried.

    Attributes:
        key: dotted path in the foreign configuration.
        kind: 'ignored' when it never had an effect there, 'elsewhere' when this software takes
            it from another place.
        reason: why, or the other place.
    """

    key: str
    kind: Literal["ignored", "elsewhere"]
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class Section:
    """A mapping that remembers which of its keys were read.

    Args:
        given: what the user wrote.
        defaults: what holds for keys that were not written; mappings are merged key by key.
        path: dotted path of this mapping, for messages.
    """

    def __init__(
        self, given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None, path: str = ""
    ) -> None:
        if not isinstance(given, Mapping):
            raise ConfigError(
                f"{path or 'the configuration'}: expected a mapping, got {shortened(given)}"
            )
        self.path = path
        self._given = given
        self._defaults = defaults or {}
        self._read: set[str] = set()
        self._sections: dict[str, Section] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._given or key in self._defaults

    def at(self, key: str) -> str:
        """Dotted path of one of the keys."""
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str, default: Any = None) -> Any:
        """The value of a key, which then counts as read."""
        self._read.add(key)
        return self._given.get(key, self._defaults.get(key, default))

    def need(self, key: str) -> Any:
        """The value of a key that has to be there.

        Raises:
            ConfigError: it is not.
        """
        if key not in self:
            raise ConfigError(f"{self.at(key)}: is missing")
        return self.take(key)

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number, which has to be there unless a default is given.

        Raises:
            ConfigError: it is missing or something else; as do the other methods that name a type.
        """
        return int(self._typed(key, default, _is_whole, "a whole number"))

    def number(self, key: str, default: float | None = None) -> float:
        """As `whole`, a number."""
        return float(self._typed(key, default, _is_number, "a number"))

    def text(self, key: str, default: str | None = None) -> str:
        """As `whole`, a text."""
        return str(self._typed(key, default, _is_text, "a text"))

    def wholes(self, key: str, default: list[int] | None = None, least: int = 1) -> list[int]:
        """As `whole`, a list of at least so many whole numbers."""
        what = f"a list of {least} or more whole numbers"
        return list(self._typed(key, default, _list_of(_is_whole, least), what))

    def numbers(self, key: str, default: list[float] | None = None) -> list[float]:
        """As `whole`, a list of numbers that is not empty."""
        return list(self._typed(key, default, _list_of(_is_number), "a list of numbers"))

    def texts(self, key: str) -> list[str]:
        """As `whole`, a list of texts that is not empty."""
        return list(self._typed(key, None, _list_of(_is_text), "a list of texts"))

    def listed(self, key: str) -> list[Any]:
        """As `whole`, a list of anything that is not empty."""
        return list(self._typed(key, None, _list_of(lambda _: True), "a list"))

    def _typed(
        self, key: str, default: Any, is_right: Callable[[Any], bool], expected: str
    ) -> Any:
        value = self.need(key) if default is None else self.take(key, default)
        if not is_right(value):
            raise ConfigError(f"{self.at(key)}: expected {expected}, got {shortened(value)}")
        return value

    def section(self, key: str) -> Section:
        """The mapping under a key; empty where the key is absent."""
        if key not in self._sections:
            below = self._defaults.get(key, {})
            self._sections[key] = Section(self._given.get(key, {}), below, self.at(key))
        return self._sections[key]

    def given(self) -> dict[str, Any]:
        """What the user wrote here, without the defaults."""
        return dict(self._given)

    def unread(self) -> Iterator[str]:
        """Dotted paths of keys that the user wrote and nothing has read."""
        for key in self._given:
            if key in self._sections:
                yield from self._sections[key].unread()
            elif key not in self._read:
                yield self.at(key)


def shortened(value: Any) -> str:
    """A value of a foreign configuration, for messages: it may be a whole file."""
    return reprlib.repr(value)


def _is_whole(value: Any) -> bool:
    # Larger ones are no sizes, and are not all floats either.
    return type(value) is int and abs(value) < 2**53


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(is_right: Callable[[Any], bool], least: int = 1) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, (list, tuple)) and len(value) >= least and all(map(is_right, value))
    )
