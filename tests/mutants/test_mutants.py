"""The mutator changes what it says and nothing else, and the bench tells who notices."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from tests.mutants.bench import Outcome, Verdict, table
from tests.mutants.choice import choose
from tests.mutants.lines import Reach, files_of_tests
from tests.mutants.mutator import Mutant, is_valid, mutants_of, sample
from tests.mutants.operators import OPERATORS
from tests.mutants.run import End, run
from tests.mutants.source import Edit
from tests.mutants.tree import ROOT, changed, sources
from tests.mutants.watch import sizes

HEAD = '"""Größe: 1 < 2."""\n\n\ndef f(a: "1 < 2", b=None) -> "not 1":\n    """At 1 < 2."""\n'
PATH = "gait/engine/made_up.py"


def texts(operator: str, line: str) -> list[str]:
    """The line under each mutant that an operator makes of it."""
    text = f"{HEAD}    ä = '1 < 2'; {line}\n    return ä\n".encode()
    start, end = text.index(line.encode()), len(text) - len("\n    return ä\n".encode())
    found = []
    for mutant in mutants_of(PATH, text):
        if mutant.operator == operator and is_valid(mutant, text) and mutant.edit.start >= start:
            result = mutant.edit.applied(text)
            # Everything else stays as it is, byte by byte.
            assert result[:start] == text[:start] and result.endswith(text[end:])
            found.append(result[start : len(result) - len(text) + end].decode())
    return found


@pytest.mark.parametrize(
    ("operator", "line", "expected"),
    [
        ("compare", "b = a < (b)", ["b = a <= (b)", "b = a > (b)"]),
        ("compare", "b = 'ö' in a is not b", ["b = 'ö' not in a is not b", "b = 'ö' in a is b"]),
        ("arithmetic", "b = (a + 'x') // b", ["b = (a + 'x') * b", "b = (a - 'x') // b"]),
        ("arithmetic", "b |= a", ["b &= a"]),
        ("connective", "b = a or b or c", ["b = a and b or c", "b = a or b and c"]),
        ("unary", "b = not (a)", ["b = (a)"]),
        ("unary", "b = ~a", ["b = a"]),
        ("constant", "b = a[0]", ["b = a[(-1)]", "b = a[1]"]),
        ("constant", "b = False, 'x'", ["b = True, 'x'"]),
        ("name", "b = max(np.zeros(a))", ["b = min(np.zeros(a))", "b = max(np.ones(a))"]),
        ("swap", "b(a, (1, 2), *c)", ["b((1, 2), a, *c)"]),
        ("keyword", "b(a, c=1, d=(2))", ["b(a, d=(2))", "b(a, c=1)"]),
        ("keyword", "b(c=1, d=2)", ["b(d=2)", "b(c=1)"]),
        ("keyword", "b(c=1)", ["b()"]),
        ("keyword", "zip(a, strict=True)", []),
        ("constant", "zip(a, strict=True)", []),
        ("condition", "b = [c for c in a if c]", ["b = [c for c in a if True]"]),
        ("side", "b = 1 if a else b + 2", ["b = (1)", "b = (b + 2)"]),
        ("delete", "a.b = 1", ["pass"]),
        ("delete", "a = 1", []),
        ("delete", "a.b()", ["pass"]),
        ("constant", "assert a == 1", []),
        ("constant", "print(1, f'{2}')", []),
    ],
)
def test_an_operator_changes_one_place(operator: str, line: str, expected: list[str]) -> None:
    assert sorted(texts(operator, line)) == sorted(expected)


def test_a_function_is_left_before_each_statement_but_the_first() -> None:
    text = b"def f(a):\n    a += 1\n    if a:\n        a = 2\n    return a\n"
    (mutant,) = (each for each in mutants_of(PATH, text) if each.operator == "leave")
    assert mutant.edit.applied(text) == text.replace(b"    if", b"    return\n    if")


def test_conditions_hold_always_or_never_and_errors_stay() -> None:
    text = b"def f(a):\n    if a > 1:\n        raise ValueError(a + 1)\n    return a\n"
    mutants = [each for each in mutants_of(PATH, text) if each.operator == "condition"]
    found = [each.edit.applied(text).decode().splitlines()[1].strip() for each in mutants]
    assert sorted(found) == ["if False:", "if True:"]
    assert all(each.edit.start < text.index(b"raise") for each in mutants_of(PATH, text)[:-1])


def test_mutants_of_the_package_are_python_and_each_a_change_of_its_own() -> None:
    texts = {each: (ROOT / each).read_bytes() for each in sources(areas=["evaluation"])}
    chosen = sample(texts, 40, 1)
    assert len(set(chosen)) == 40
    assert {each.operator for each in chosen} == set(OPERATORS)
    # Nobody goes without, but for modules of nothing to change.
    assert {each.path for each in chosen} == {
        path for path in texts if mutants_of(path, texts[path])
    }
    for each in chosen:
        text = texts[each.path]
        ast.parse(each.edit.applied(text))
        assert each.path in each.diff(text)
    assert sample(texts, 40, 1) == chosen != sample(texts, 40, 2)


def test_the_tests_of_a_mutant_execute_its_lines() -> None:
    def reach(seconds: float, shared: list[int], **tests: list[int]) -> Reach:
        lines = {name: {PATH: each} for name, each in tests.items()}
        return Reach(End.passed, {PATH: shared}, lines, dict.fromkeys(tests, seconds))

    reaches = {
        "tests/unit/test_store.py": reach(1.0, [], a=[3, 4], b=[9]),
        "tests/unit/test_made_up.py": reach(5.0, [], c=[4], d=[4]),
        "tests/unit/test_pack.py": reach(0.1, [4], e=[9], f=[9]),
        "tests/unit/test_page.py": Reach(End.failed, {}, {}, {}),
    }

    def of(is_called: bool, files: int = 9, seconds: float = 99) -> dict[str, list[str]]:
        mutant = Mutant(PATH, "compare", Edit(0, 1, b""), (4, 5), is_called)
        found = choose(mutant, reaches, files, seconds)
        return {each.file.removeprefix("tests/unit/test_"): each.tests for each in found}

    named, rest = {"made_up.py": ["c", "d"]}, {"pack.py": ["e", "f"], "store.py": ["a"]}
    assert list(of(True).items()) == list({**named, **rest}.items())
    assert of(True, files=1) == named
    assert of(True, seconds=8) == {"made_up.py": ["c"]}


def test_a_run_in_a_copied_tree_ends_as_its_tests_do(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "tests").mkdir(parents=True)
    (tree / "gait").mkdir()
    module = tree / "gait" / "__init__.py"
    module.write_text("def two():\n    return 2\n")
    test = "from gait import two\n\n\ndef test_two():\n    while two() == 3:\n        pass\n    "
    (tree / "tests" / "test_two.py").write_text(f"{test}assert two() == 2\n")
    files = ["tests/test_two.py"]
    assert run(tree, files, 60).end is End.passed
    with changed(module, b"def two():\n    return 1\n"):
        ended = run(tree, files, 60)
    assert (ended.end, ended.failure) == (End.failed, "tests/test_two.py::test_two")
    with changed(module, b"def two():\n    return 3\n"):
        assert run(tree, files, 5).end is End.timeout
    test = """import subprocess, sys
def test_leaves():
    sleep = [sys.executable, "-c", "import time; time.sleep(30)"]
    print(subprocess.Popen(sleep, start_new_session=True).pid, file=open("left", "w"))
"""
    (tree / "tests" / "test_two.py").write_text(test)
    assert run(tree, files, 60).end is End.passed
    command = Path("/proc", (tree / "left").read_text().strip(), "cmdline")
    end = time.monotonic() + 5
    # Of one that has ended and that nobody has asked for it is empty.
    while command.exists() and command.read_bytes():
        assert time.monotonic() < end


def test_every_source_has_bytes_for_its_lines() -> None:
    for path, size in sizes(ROOT).items():
        assert size > len((ROOT / path).read_text().splitlines())
    assert "tests/unit/test_trainer.py" in files_of_tests()


def test_the_table_counts_by_area_and_operator() -> None:
    mutants = [
        Mutant(path, operator, Edit(0, 0, b""), (1, 1), True)
        for path, operator in [(PATH, "swap"), (PATH, "name"), ("gait/data/x.py", "swap")]
    ]
    outcomes = (Outcome.killed, Outcome.survived, Outcome.killed)
    verdicts = [Verdict(n, each, "", (1, 1), 1.0, "") for n, each in enumerate(outcomes)]
    rows = [line.split() for line in table(mutants, verdicts).splitlines()[1:]]
    assert rows == [
        ["data", "1", "1", "0", "0", "0"],
        ["engine", "2", "1", "0", "1", "0"],
        ["name", "1", "0", "0", "1", "0"],
        ["swap", "2", "2", "0", "0", "0"],
        ["all", "3", "2", "0", "1", "0"],
    ]
