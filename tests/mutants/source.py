"""The text of a module, addressed by the nodes of its tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import accumulate

Node = ast.expr | ast.stmt | ast.keyword


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

    def start(self, node: Node) -> int:
        """Where a node begins."""
        return self._at(node.lineno, node.col_offset)

    def end(self, node: Node) -> int:
        """Where a node ends."""
        return self._at(node.end_lineno, node.end_col_offset)

    def of(self, node: Node) -> bytes:
        """The text of a node."""
        return self.text[self.start(node) : self.end(node)]

    def replace(self, node: Node, text: bytes) -> Edit:
        """Give a node another text."""
        return Edit(self.start(node), self.end(node), text)

    def replace_between(self, left: Node, right: Node, old: bytes, new: bytes) -> Edit:
        """Replace the one token that stands between two nodes."""
        at = self.text.index(old, self.end(left), self.start(right))
        return Edit(at, at + len(old), new)

    def _at(self, line: int | None, column: int | None) -> int:
        # Parsed nodes have an end.
        assert line is not None and column is not None
        return self._starts[line - 1] + column
