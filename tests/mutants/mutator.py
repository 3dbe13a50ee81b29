"""All mutants of a module, and a sample of those of many."""

from __future__ import annotations

import ast
import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.mutants.operators import ASSERTING, OPERATORS
from tests.mutants.source import Edit, Source

# What is said to people is read by people.
_SAYING = {"debug", "echo", "info", "print", "say", "warn", "warning"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one file.

    Attributes:
        path: the file, relative to the repository.
        operator: the name of the operator.
        edit: the change.
        lines: the first and last line that are executed wherever the change acts.
        is_called: whether it is in a function, and not executed as the module is imported.
    """

    path: str
    operator: str
    edit: Edit
    lines: tuple[int, int]
    is_called: bool

    @property
    def area(self) -> str:
        """The package that the file is in."""
        return self.path.split("/")[1]

    def diff(self, source: bytes) -> str:
        """The change as people read it."""
        before, after = (
            each.decode().splitlines(keepends=True) for each in (source, self.edit.applied(source))
        )
        return "".join(difflib.unified_diff(before, after, self.path, self.path, n=2))


def mutants_of(path: str, text: bytes) -> list[Mutant]:
    """List all mutants of a module, in the order of its text.

    Some of them may not be Python, see `is_valid`.
    """
    source = Source(text)
    found = [
        Mutant(path, name, edit, lines, is_called)
        for node, lines, is_called in _nodes(source.tree, (0, 0), False)
        for name, operator in OPERATORS.items()
        for edit in operator(source, node)
    ]
    return sorted(found, key=lambda each: (each.edit.start, each.edit.end, each.edit.text))


def is_valid(mutant: Mutant, text: bytes) -> bool:
    """Whether a mutant is Python, and another program than the original."""
    try:
        return ast.dump(ast.parse(mutant.edit.applied(text))) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False


def sample(texts: dict[str, bytes], count: int, seed: int) -> list[Mutant]:
    """Draw mutants such that each file has some, and each operator in it.

    Args:
        texts: the modules, by their paths.
        count: how many mutants in all; fewer where there are not so many.
        seed: decides which.
    """
    random = Random(seed)
    queues = {path: _mixed(mutants_of(path, texts[path]), random) for path in sorted(texts)}
    # A file of four times the size has twice as many, and none goes without.
    shares = {path: len(each) ** 0.5 for path, each in queues.items()}
    taken: Counter[str] = Counter()
    chosen: list[Mutant] = []
    while len(chosen) < count and (left := [each for each in queues if queues[each]]):
        path = min(left, key=lambda each: taken[each] / shares[each])
        mutant = queues[path].pop()
        if is_valid(mutant, texts[path]):
            chosen.append(mutant)
            taken[path] += 1
    # Wherever a run is cut short, it has seen something of everything.
    random.shuffle(chosen)
    return chosen


def _mixed(mutants: list[Mutant], random: Random) -> list[Mutant]:
    """In an order whose last ones are of many operators."""
    by_operator: dict[str, list[Mutant]] = defaultdict(list)
    for each in random.sample(mutants, len(mutants)):
        by_operator[each.operator].append(each)
    ranked = [
        (rank, random.random(), each)
        for group in by_operator.values()
        for rank, each in enumerate(group)
    ]
    return [each for _, _, each in sorted(ranked, key=lambda each: each[:2], reverse=True)]


def _nodes(
    node: ast.AST, lines: tuple[int, int], is_called: bool
) -> Iterator[tuple[ast.AST, tuple[int, int], bool]]:
    """The nodes that may change, with the lines that they are executed at."""
    if isinstance(node, ast.stmt):
        lines = _own_lines(node)
    is_called |= isinstance(node, ast.FunctionDef | ast.Lambda)
    if not isinstance(node, ast.Module):
        yield node, lines, is_called
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST) and not _is_left_out(each):
                yield from _nodes(each, lines, is_called)


def _own_lines(node: ast.stmt) -> tuple[int, int]:
    """Those of a statement without the statements in it."""
    body = getattr(node, "body", None)
    if not body:
        return node.lineno, node.end_lineno or node.lineno
    if isinstance(node, ast.FunctionDef):
        # Defaults and early returns act where the function is called.
        begin = body[1] if ast.get_docstring(node) is not None and len(body) > 1 else body[0]
        return begin.lineno, begin.end_lineno or begin.lineno
    return node.lineno, max(node.lineno, body[0].lineno - 1)


def _is_left_out(node: ast.AST) -> bool:
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return True
        # Docstrings.
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.keyword(arg=name):
            return name in ASSERTING
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
            return called in _SAYING
    return False
