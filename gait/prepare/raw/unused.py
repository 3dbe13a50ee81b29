"""Counts the files of a raw tree that no sequence uses."""

from __future__ import annotations

from collections import Counter


class Unused:
    """Files without a use so far, by the folder or archive they lie in and the reason.

    A layout adds what it has no use for; what companion files turn out to need is claimed.
    """

    def __init__(self) -> None:
        self._numbers: Counter[tuple[str, str]] = Counter()

    def add(self, place: str, reason: str, number: int = 1) -> None:
        """Count files at a place."""
        self._numbers[place, reason] += number

    def update(self, place: str, numbers: Counter[str]) -> None:
        """Count files at a place, by reason."""
        for reason, number in numbers.items():
            self._numbers[place, reason] += number

    def claim(self, place: str, reason: str, number: int = 1) -> None:
        """Take files at a place out of the count, as far as they were counted."""
        left = self._numbers[place, reason] - number
        self._numbers[place, reason] = max(0, left)

    def counts(self) -> dict[str, int]:
        """What is left, by reason in alphabetical order."""
        total: Counter[str] = Counter()
        for (_, reason), number in self._numbers.items():
            total[reason] += number
        return dict(sorted((+total).items()))
