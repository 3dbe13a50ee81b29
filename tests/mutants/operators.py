"""The operators: each gives the edits that it makes at a node."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.mutants.source import Edit, Node, Source

Operator = Callable[[Source, ast.AST], Iterator[Edit]]

_COMPARISONS: dict[type[ast.cmpop], tuple[bytes, tuple[bytes, ...]]] = {
    ast.Lt: (b"<", (b"<=", b">")),
    ast.LtE: (b"<=", (b"<", b">=")),
    ast.Gt: (b">", (b">=", b"<")),
    ast.GtE: (b">=", (b">", b"<=")),
    ast.Eq: (b"==", (b"!=",)),
    ast.NotEq: (b"!=", (b"==",)),
    ast.Is: (b"is", (b"is not",)),
    ast.IsNot: (b"is not", (b"is",)),
    ast.In: (b"in", (b"not in",)),
    ast.NotIn: (b"not in", (b"in",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[bytes, bytes]] = {
    ast.Add: (b"+", b"-"),
    ast.Sub: (b"-", b"+"),
    ast.Mult: (b"*", b"/"),
    ast.Div: (b"/", b"*"),
    ast.FloorDiv: (b"//", b"*"),
    ast.Mod: (b"%", b"//"),
    ast.Pow: (b"**", b"*"),
    ast.BitAnd: (b"&", b"|"),
    ast.BitOr: (b"|", b"&"),
}
_PAIRS = (
    ("all", "any"),
    ("argmax", "argmin"),
    ("ceil", "floor"),
    ("keys", "values"),
    ("max", "min"),
    ("maximum", "minimum"),
    ("mean", "sum"),
    ("ones", "zeros"),
    ("ones_like", "zeros_like"),
    ("sorted", "list"),
)
_NAMES = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
# To sort what needs no order is no fault.
del _NAMES["list"]
_BUILT_IN = {"all", "any", "max", "min", "sorted"}
# Arguments that assert, such as that lengths are equal: without effect unless something is wrong.
ASSERTING = {"strict"}


def compare(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        for (left, right), operator in zip(
            pairwise([node.left, *node.comparators]), node.ops, strict=True
        ):
            old, others = _COMPARISONS[type(operator)]
            for new in others:
                yield source.replace_between(left, right, old, new)


def arithmetic(source: Source, node: ast.AST) -> Iterator[Edit]:
    if not isinstance(node, ast.BinOp | ast.AugAssign) or type(node.op) not in _ARITHMETIC:
        return
    old, new = _ARITHMETIC[type(node.op)]
    if isinstance(node, ast.BinOp):
        yield source.replace_between(node.left, node.right, old, new)
    else:
        yield source.replace_between(node.target, node.value, old + b"=", new + b"=")


def connective(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        words = (b"and", b"or")
        old, new = words if isinstance(node.op, ast.And) else words[::-1]
        for left, right in pairwise(node.values):
            yield source.replace_between(left, right, old, new)


def unary(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.UnaryOp):
        sign = b"not " if isinstance(node.op, ast.Not) else source.of(node)[:1]
        start = source.start(node)
        yield Edit(start, start + len(sign), b"")


def constant(source: Source, node: ast.AST) -> Iterator[Edit]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield source.replace(node, str(not node.value).encode())
    elif isinstance(node.value, int | float):
        for each in (node.value + 1, node.value - 1):
            yield source.replace(node, (f"({each})" if each < 0 else f"{each}").encode())


def name(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Name) and node.id in _BUILT_IN:
        yield source.replace(node, _NAMES[node.id].encode())
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES:
        end = source.end(node)
        yield Edit(end - len(node.attr), end, _NAMES[node.attr].encode())


def swap(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Call):
        for one, other in pairwise(node.args):
            if not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred):
                between = source.text[source.end(one) : source.start(other)]
                text = source.of(other) + between + source.of(one)
                yield Edit(source.start(one), source.end(other), text)


def keyword(source: Source, node: ast.AST) -> Iterator[Edit]:
    if not isinstance(node, ast.Call):
        return
    parts: list[Node] = sorted([*node.args, *node.keywords], key=source.start)
    for number, part in enumerate(parts):
        if not isinstance(part, ast.keyword) or part.arg is None or part.arg in ASSERTING:
            continue
        if number:
            yield Edit(source.end(parts[number - 1]), source.end(part), b"")
        elif len(parts) > 1:
            yield Edit(source.start(part), source.start(parts[1]), b"")
        else:
            yield source.replace(part, b"")


def condition(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.If):
        yield source.replace(node.test, b"True")
        yield source.replace(node.test, b"False")
    elif isinstance(node, ast.comprehension):
        for each in node.ifs:
            yield source.replace(each, b"True")


def side(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.IfExp):
        for each in (node.body, node.orelse):
            yield source.replace(node, b"(" + source.of(each) + b")")


def delete(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Assign):
        # Without its only binding a name is missing, which every test sees.
        if all(isinstance(each, ast.Attribute | ast.Subscript) for each in node.targets):
            yield source.replace(node, b"pass")
    elif isinstance(node, ast.Expr | ast.AugAssign | ast.Delete | ast.Break | ast.Continue) and (
        not isinstance(getattr(node, "value", None), ast.Constant | ast.Yield)
    ):
        yield source.replace(node, b"pass")


def leave(source: Source, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.FunctionDef):
        for each in node.body[1:]:
            is_empty = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            if not isinstance(each, ast.Return) and not is_empty:
                start = source.start(each)
                yield Edit(start, start, b"return\n" + b" " * each.col_offset)


OPERATORS: dict[str, Operator] = {
    each.__name__: each
    for each in (
        compare,
        arithmetic,
        connective,
        unary,
        constant,
        name,
        swap,
        keyword,
        condition,
        side,
        delete,
        leave,
    )
}
