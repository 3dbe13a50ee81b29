"""Errors: what they tell people to type."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from gait import errors
from gait.errors import MissingExtraError

REPOSITORY = Path(__file__).parents[2]
# What people read, or read in messages.
WRITTEN = sorted(
    path
    for folder in ("gait", "docs", "datasets", "config", "workflow", ".")
    for path in (REPOSITORY / folder).glob("*" if folder == "." else "**/*")
    if path.suffix in {".md", ".py", ".yaml", ".smk", ".j2", ".sh", ".toml", ".rst"}
)
# `gait` as a package of an index, with or without an extra.
OF_AN_INDEX = re.compile(r"pip3? install[^\n]*[\s'\"]gait(?![\w./-])|[\s'\"`(]gait\[[a-z]")


def test_nobody_is_told_to_install_a_package_that_is_not_ours() -> None:
    assert OF_AN_INDEX.search("pip install --upgrade 'gait[onnx]'")
    assert OF_AN_INDEX.search("pip install gait\n")
    assert len(WRITTEN) > 300
    found = [
        f"{path}: {match[0]}"
        for path in WRITTEN
        if (match := OF_AN_INDEX.search(path.read_text(encoding="utf-8")))
    ]
    assert not found


def test_an_extra_is_installed_for_this_python_from_this_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/my disk/bin/python")
    monkeypatch.setattr(errors.util, "find_spec", lambda name: name)
    error = MissingExtraError("DINOv2", "foundation")
    pip = "'/my disk/bin/python' -m pip install --editable"
    checkout = f"{REPOSITORY}[foundation]"
    assert str(error) == f"DINOv2 needs the extra [foundation]: {pip} '{checkout}'"
    monkeypatch.setattr(errors.util, "find_spec", lambda name: None)
    assert "python3 -m pip --python '/my disk/bin/python' install" in str(
        MissingExtraError("DINOv2", "foundation")
    )


def test_without_a_checkout_the_libraries_themselves_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "site-packages/gait/errors.py"))
    stated = ["numpy", 'py7zr>=0.2; extra == "archives"', 'onnxruntime; extra == "onnx"']
    monkeypatch.setattr(metadata, "requires", lambda name: stated)
    assert str(MissingExtraError("A", "archives")).endswith(" install 'py7zr>=0.2'")
    monkeypatch.setattr(metadata, "requires", lambda name: None)
    assert str(MissingExtraError("A", "archives")).endswith("with that extra")
