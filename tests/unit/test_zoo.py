"""The list of models: what it counts, and that the committed page is what the command writes."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gait.cli import app
from gait.config.experiment import Experiment
from gait.config.load import load_recipe, model_names
from gait.config.schema import Component
from gait.errors import ConfigError
from gait.zoo.cost import Cost, cost_of, frame_shapes
from gait.zoo.models import zoo
from gait.zoo.page import zoo_page

REPOSITORY = Path(__file__).parents[2]
COMMITTED = REPOSITORY / "docs/zoo.md"
REMEDY = "run gait models --output docs/zoo.md"


def recipe(name: str) -> Experiment:
    return load_recipe(REPOSITORY, name)


def root_with(tmp_path: Path, *models: str) -> Path:
    """A folder with some models, and all datasets and experiments."""
    (tmp_path / "config/models").mkdir(parents=True)
    for each in ("datasets", "config/experiments"):
        (tmp_path / each).symlink_to(REPOSITORY / each)
    for each in ("defaults", *(f"models/{name}" for name in models)):
        shutil.copy(REPOSITORY / f"config/{each}.yaml", tmp_path / f"config/{each}.yaml")
    return tmp_path


def test_the_committed_page_lists_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gait.zoo.models.cost_of", lambda *_: Cost(0, 0, 0.0))

    def lines(text: str) -> list[list[str]]:
        rows = [each.split(" | ") for each in text.splitlines()]
        return [cells[:2] + cells[5:] if len(cells) == 6 else cells for cells in rows]

    assert lines(zoo_page(zoo(REPOSITORY))) == lines(COMMITTED.read_text(encoding="utf-8")), REMEDY


@pytest.mark.slow
def test_the_committed_page_is_what_the_command_writes() -> None:
    found = zoo(REPOSITORY)
    # Where the extra [foundation] is missing, the rows of its models are empty.
    absent = tuple(f"| {each.name} |" for each in found.models if each.problem)
    said = ["", *(f"{each}." for each in found.problems)]

    def lines(text: str) -> list[str]:
        rows = [each for each in text.splitlines() if each not in said]
        return [each for each in rows if not each.startswith(absent)]

    assert lines(zoo_page(found)) == lines(COMMITTED.read_text(encoding="utf-8")), REMEDY


def test_a_network_counted_by_hand() -> None:
    small = {
        "name": "GaitBase",
        "backbone": {"name": "Plain", "layers": ["BC-8"]},
        "embedding_channels": 4,
        "bins": [1],
    }
    changed = recipe("GaitBase").model_copy(update={"model": Component.model_validate(small)})
    cost = cost_of(changed, {"silhouettes": (64, 44)})
    # A 5 x 5 convolution of each frame; a linear layer, a normalisation and a class of the clip.
    assert cost.parameters == 25 * 8 + 8 * 4 + 2 * 4
    assert cost.parameters_per_class == 4
    assert cost.flops_per_frame == pytest.approx(2 * (25 * 8 * 64 * 44 + (8 * 4 + 4) / 30))


def test_an_energy_image_costs_nothing() -> None:
    cost = cost_of(recipe("GEI"), frame_shapes(recipe("GEI")))
    assert (cost.parameters, cost.parameters_per_class, cost.flops_per_frame) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("GaitSet", {"silhouettes": (64, 44)}),
        ("GaitEdge", {"ratio": (), "rgb": (3, 128, 128), "masks": (128, 128)}),
        ("DenoisingGait", {"latent": (4, 96, 48), "masks": (96, 48)}),
        ("SkeletonGait++", {"skeleton_maps+silhouettes": (3, 64, 44)}),
        ("MsGG", {"pose": (12, 3)}),
        ("LidarGait++", {"points": (1024, 4)}),
    ],
)
def test_frames_are_as_the_model_gets_them(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    assert frame_shapes(recipe(name)) == shapes


def test_a_model_gets_the_largest_silhouettes_of_its_datasets(tmp_path: Path) -> None:
    found = zoo(root_with(tmp_path, "GLN", "GaitGL"))
    shapes = {each.name: each.shapes for each in found.models}
    assert shapes["GLN"] == {"silhouettes": (128, 88)}
    assert shapes["GaitGL"] == {"silhouettes": (64, 44)}


def test_every_model_names_its_paper() -> None:
    for name in model_names(REPOSITORY):
        assert re.search(r" et al\.,? .*\b(19|20)\d\d\b| and .*\b2006", recipe(name).paper), name
    assert recipe("GaitBase").paper.startswith("Fan et al., OpenGait: ")
    assert recipe("SkeletonGait").paper.startswith("Fan et al., SkeletonGait: ")


def test_figures_are_those_of_the_models_that_are_there(tmp_path: Path) -> None:
    root = root_with(tmp_path, "GEI", "GaitSet", "LidarGait")
    text = zoo_page(zoo(root))
    assert "| GaitSet/paper | single_view | NM 95.8, BG 90.0, CL 75.4 |  | OpenGait (1) |" in text
    assert "| GaitSet/paper | cross_view_gallery |  | NM 85.9, BG 81.4, CL 77.0 |" in text
    assert "| LidarGait/paper | single_view | Overall 86.8 | Overall 96.1 | OpenGait (" in text
    assert "SynthGait (GEI/baseline, GaitSet/demo)" in text.partition("### Without figures")[2]
    assert "| GaitGL" not in text


def test_figures_of_an_experiment_that_is_not_there_are_refused(tmp_path: Path) -> None:
    root = root_with(tmp_path, "GEI")
    (root / "config/experiments").unlink()
    shutil.copytree(REPOSITORY / "config/experiments", root / "config/experiments")
    (root / "config/experiments/GREW/GaitGL/bnneck.yaml").unlink()
    with pytest.raises(ConfigError, match=r"GREW/dataset.yaml: published: .*GaitGL.*'bnneck'"):
        zoo(root)


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    written = zoo_page(zoo(root_with(tmp_path, "BigGait", "GEI")))
    assert "\nDINOv2 needs the extra [foundation].\n" in written
    assert "| BigGait | rgb 3 x 256 x 128, ratio |  |  |  | Ye et al., BigGait" in written


def test_models_on_the_terminal_and_as_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root_with(tmp_path, "GaitSet", "GEI"))
    printed = CliRunner().invoke(app, ["models"], catch_exceptions=False).stdout
    assert "silhouettes 64 x 44" in printed and "2.59" in printed and "Chao et al." in printed
    CliRunner().invoke(app, ["models", "--output", "zoo.md"], catch_exceptions=False)
    assert Path("zoo.md").read_text(encoding="utf-8") == zoo_page(zoo(Path()))


def test_a_recipe_nobody_has() -> None:
    with pytest.raises(ConfigError, match=r"no model is named 'GaitSett'.*'GaitSet'"):
        recipe("GaitSett")
