"""The text of a module, addressed by the nodes of its tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Edit:
    """Another text for a span of bytes."""

    start: int
    end: int
    text: bytes

    def applied(self, source: bytes) -> bytes:
        """Give the source with the span replaced."""
        return source[: self.start] + self.text + source[self.end :]


class Source:
    """A module as bytes and as a tree."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._starts = [0, *accumulate(map(len, text.splitlines(keepends=True)))]

    def start(self, node: ast.AST) -> int:
        """Where a node begins."""
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Where a node ends."""
        return (  # type: ignore[no-any-return]
            self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        )

    def of(self, node: ast.AST) -> bytes:
        """The text of a node."""
        return self.text[self.start(node) : self.end(node)]

    def replace(self, node: ast.AST, text: bytes) -> Edit:
        """Give a node another text."""
        return Edit(self.start(node), self.end(node), text)

    def replace_between(self, left: ast.AST, right: ast.AST, old: bytes, new: bytes) -> Edit:
        """Replace the one token that stands between two nodes."""
        at = self.text.index(old, self.end(left), self.start(right))
        return Edit(at, at + len(old), new)
