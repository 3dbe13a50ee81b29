"""Each key of a configuration has a test that shows what it changes.

The keys come from the schemas, their proofs from tests/settings/*.yaml.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.settings.proofs import read_proofs
from tests.settings.walk import all_keys

TESTS = Path(__file__).parents[1]
KEYS = all_keys()
# Rows of tests/settings/model.yaml that are no test themselves are what this one goes through.
BY_ROWS = "unit/test_model_settings.py::test_a_parameter_shapes_the_network"


def test_each_file_of_proofs_is_of_a_schema() -> None:
    assert {path.stem for path in (TESTS / "settings").glob("*.yaml")} == set(KEYS)


@pytest.mark.parametrize("file", KEYS)
def test_each_key_has_a_proof_and_each_proof_a_key(file: str) -> None:
    keys, proofs = KEYS[file], read_proofs(file)
    assert keys, "a schema without keys is not what is meant"
    lacking = [
        f"{key}: no test shows what it changes; write one that says by how much, see it fail with "
        f"the key's code taken out, and add '{key}: <folder>/<file>.py::<test>' to "
        f"tests/settings/{file}.yaml"
        for key in sorted(keys - proofs.keys())
    ]
    surplus = [
        f"{key}: is no key of any schema any more; remove it from tests/settings/{file}.yaml"
        for key in sorted(proofs.keys() - keys)
    ]
    assert not lacking + surplus, "\n".join(lacking + surplus)


@pytest.mark.parametrize("file", KEYS)
def test_each_proof_is_a_test_that_is_there(file: str) -> None:
    wrong = [
        f"tests/settings/{file}.yaml: {key}: there is no test {proof!r}"
        for key, proof in read_proofs(file).items()
        if not is_a_test(BY_ROWS if isinstance(proof, dict) else proof)
    ]
    assert not wrong, "\n".join(wrong)


def is_a_test(proof: Any) -> bool:
    path, _, name = str(proof).partition("::")
    return name.startswith("test_") and name in functions(path)


@cache
def functions(path: str) -> set[str]:
    """The functions of a module of tests that nothing leaves out; none where there is no file."""
    try:
        text = (TESTS / path).read_text(encoding="utf-8")
    except OSError:
        return set()
    return {
        node.name
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
        and not any(
            ast.unparse(each).startswith("pytest.mark.skip") for each in node.decorator_list
        )
    }
