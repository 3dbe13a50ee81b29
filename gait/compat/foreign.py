"""Reads foreign configurations so that no key passes unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
            raise ConfigError(f"{path}: expected a mapping, got {given!r}")
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
