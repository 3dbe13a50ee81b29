"""Finds the modules that open files, so that none stays without a target."""

from __future__ import annotations

import ast
from pathlib import Path

_PACKAGE = Path(__file__).parents[2] / "gait"
# Calls that read what somebody may have written, by their last name.
_READS = frozenset(
    {
        *("open", "read_bytes", "read_text", "readline", "fdopen", "open_code"),
        *("memmap", "fromfile", "loadtxt", "genfromtxt", "open_memmap", "mmap"),
        *("imread", "imdecode", "imreadmulti", "VideoCapture"),
        *("ZipFile", "AESZipFile", "TarFile", "SevenZipFile", "GzipFile", "LZMAFile", "BZ2File"),
        *("is_zipfile", "is_tarfile"),
        *("read_csv", "read_json", "read_pickle", "DictReader", "safe_load", "get_single_node"),
        *("InferenceSession", "Unpickler", "model_validate_json", "from_pretrained"),
    }
)
# `load` and the like mean reading where they belong to one of these.
_MODULES = {
    "load": frozenset({"np", "numpy", "torch", "json", "pickle", "yaml", "tomllib"}),
    "loads": frozenset({"json", "pickle"}),
    "reader": frozenset({"csv"}),
    "parse": frozenset({"ast"}),
}
_WRITING = frozenset("wax")


def modules_that_read() -> set[str]:
    """The modules of the package in which a call reads a file, dotted, without `gait.`."""
    found = set()
    for path in sorted(_PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Call) and _is_reading(node) for node in ast.walk(tree)):
            parts = path.relative_to(_PACKAGE).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__init__"))
    return found


def _is_reading(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in _READS and not _is_writing(call)
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr in _MODULES:
        owner = function.value
        return isinstance(owner, ast.Name) and owner.id in _MODULES[function.attr]
    return function.attr in _READS and not _is_writing(call)


def _is_writing(call: ast.Call) -> bool:
    """Whether it only writes, as a mode among its arguments says."""
    given = [*call.args, *(each.value for each in call.keywords if each.arg == "mode")]
    modes = [each.value for each in given if isinstance(each, ast.Constant)]
    return any(
        isinstance(each, str) and 0 < len(each) <= 3 and each[0] in _WRITING for each in modes
    )
