"""Finding components by name without importing them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gait import registry
from gait.errors import ConfigError


def test_names_are_those_of_the_classes() -> None:
    assert {"GaitSet", "GaitBase", "GEI"} <= set(registry.names("model"))
    assert {"Triplet", "CrossEntropy"} <= set(registry.names("loss"))
    assert {"SGD", "Adam", "AdamW"} <= set(registry.names("optimizer"))
    assert {"MultiStepLR", "CosineAnnealingLR", "OneCycleLR"} <= set(registry.names("scheduler"))


def test_looking_names_up_imports_no_torch() -> None:
    code = (
        "import sys; from gait import registry;"
        "[registry.parameters(kind, name) for kind in registry.KINDS"
        " for name in registry.names(kind)];"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_every_component_can_be_imported(kind: str) -> None:
    for name in registry.names(kind):
        assert registry.get(kind, name).__name__ == name


def test_case_and_underscores_do_not_matter() -> None:
    assert registry.canonical("segmenter", "background") == "Background"
    assert registry.canonical("layout", "casia_b_videos") == "CasiaBVideos"


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no model is named 'GaitSett'; did you mean 'GaitSet'"):
        registry.canonical("model", "GaitSett")


def test_two_files_of_one_name_are_an_error(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gait" / "twins"  # type: ignore[operator]
    folder.mkdir(parents=True)
    for stem in ("big_net", "bignet"):
        (folder / f"{stem}.py").write_text("class BigNet: ...\n", encoding="utf-8")
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "gait" / "registry.py"))  # type: ignore[operator]
    monkeypatch.setitem(registry.KINDS, "twin", "gait.twins")
    with pytest.raises(ConfigError, match="two files are named for the same twin"):
        registry.names("twin")


def test_check_names_every_problem() -> None:
    problems = registry.check("optimizer", {"name": "SGD", "momentun": 0.9, "params": []})
    assert problems == [
        "optimizer.momentun: SGD has no such parameter; did you mean 'momentum'?",
        "optimizer.params: is derived from the data and cannot be set; remove it",
    ]
    assert registry.check("scheduler", {"name": "MultiStepLR"}) == [
        "scheduler.milestones: MultiStepLR needs this parameter"
    ]
    assert registry.check("model", {"name": "GaitBase", "num_classes": 3})[0].startswith(
        "model.num_classes: is derived"
    )


def test_build_passes_only_the_derived_values_that_are_wanted() -> None:
    model = registry.build("model", {"name": "GEI"}, num_classes=3, height_px=64, width_px=44)
    assert type(model).__name__ == "GEI"


PARENT = """
class BigNet:
    def __init__(self, num_classes: int, channels: list[int], bins: int = 16) -> None:
        self.channels, self.bins = channels, bins

    def __call__(self, frames: Frames) -> None: ...
"""
HEIR = """
from gait.twins.big_net import BigNet


class Heir(BigNet):
    pass
"""
FURTHER = """
from .heir import Heir


class Further(Heir):
    def __init__(self, depth: int = 3, **settings: object) -> None:
        super().__init__(bins=4, **settings)
"""


def test_a_component_may_inherit_its_constructor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gait" / "twins"
    folder.mkdir(parents=True)
    for stem, text in (("big_net", PARENT), ("heir", HEIR), ("further", FURTHER)):
        (folder / f"{stem}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "gait" / "registry.py"))
    monkeypatch.setitem(registry.KINDS, "twin", "gait.twins")
    monkeypatch.setitem(registry.DERIVED, "twin", {"num_classes"})
    registry._components.cache_clear()
    assert registry.parameters("twin", "heir") == registry.parameters("twin", "big_net")
    assert registry.check("twin", {"name": "Heir", "channels": [8], "bins": 4}) == []
    assert registry.check("twin", {"name": "Heir"}) == ["twin.channels: Heir needs this parameter"]
    further = registry.parameters("twin", "Further")
    assert further.required == {"channels"} and further.defaults == {"depth": 3}
    assert registry.takes("twin", "Further") == "Frames"
