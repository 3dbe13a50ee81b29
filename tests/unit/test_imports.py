"""Imports go one way, as docs/design.md draws it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gait"
BASE = {
    *("errors", "files", "formats", "limits", "modalities", "processes", "progress", "ragged"),
    *("screen", "skeleton", "types"),
}
BELOW_STAGES = BASE | {"config", "registry"}
ALLOWED = {
    "screen": set(),
    "errors": {"screen"},
    "project": {"errors"},
    "types": set(),
    "modalities": set(),
    "ragged": set(),
    "processes": set(),
    "progress": set(),
    "files": {"errors", "limits"},
    "limits": {"errors"},
    "formats": BASE,
    "skeleton": {"errors"},
    "registry": BASE,
    "config": BASE | {"registry"},
    "layers": BELOW_STAGES,
    "models": BELOW_STAGES | {"layers"},
    "losses": BELOW_STAGES | {"layers"},
    "data": BELOW_STAGES,
    # What cannot be scored is found before anything is made.
    "prepare": BELOW_STAGES | {"evaluation"},
    "synthgait": BELOW_STAGES | {"prepare"},
    "evaluation": BELOW_STAGES,
    "report": BELOW_STAGES,
    "workflow": BELOW_STAGES | {"prepare", "synthgait", "evaluation"},
    "engine": BELOW_STAGES | {"layers", "models", "losses", "data", "evaluation"},
    "zoo": BELOW_STAGES | {"data"},
    "compat": BELOW_STAGES | {"layers", "models", "losses", "data", "engine"},
}
# Inside `gait/prepare/`: from files on disk to the packed store.
PREPARE = {
    "summary": set(),
    "raw": set(),
    "catalogue": {"raw"},
    "silhouettes": {"raw", "summary"},
    "modalities": {"raw", "silhouettes"},
    "sequences": {"raw", "catalogue", "silhouettes", "modalities", "summary"},
    "check": {"raw", "catalogue", "silhouettes", "modalities", "sequences", "summary"},
    "packed_arrays": set(),
    "pack": {"packed_arrays"},
}
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if not {"__main__.py", "cli"} & {*path.parts}
)


def part(path: Path) -> str:
    """The package or module directly below `gait` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    if part(path) == "__init__":
        return
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gait":
            below = (node.module or "").split(".")[1:]
            imported |= {below[0]} if below else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            imported |= {
                alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gait.")
            }
    assert imported - {part(path), "__version__"} <= ALLOWED[part(path)]


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "prepare").rglob("*.py")), ids=lambda path: path.stem
)
def test_preparation_goes_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE / "prepare").parts[0].removesuffix(".py")
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gait.prepare"):
            below = (node.module or "").split(".")[2:]
            imported |= {below[0]} if below else {alias.name for alias in node.names}
    assert imported - {own} <= PREPARE.get(own, set())


def test_the_picture_of_the_rooms_shows_every_one() -> None:
    picture = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = {each.name for each in PACKAGE.iterdir() if (each / "__init__.py").is_file()}
    assert {name for name in rooms if f"{name}/" not in picture} == set()
    assert {name for name in PREPARE if name not in picture} <= {"summary", "packed_arrays"}
    for named in re.findall(r"`((?:gait|tests|config|workflow)/[\w/.-]+)`", picture):
        assert (PACKAGE.parent / named).exists(), named


@pytest.mark.parametrize("module", ["gait.workflow.state", "gait.evaluation.score", "gait.report"])
def test_no_torch_where_none_is_needed(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_starting_the_workflow_is_light() -> None:
    heavy = ("torch", "cv2", "pandas")
    code = f"import sys, gait.workflow.state; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
