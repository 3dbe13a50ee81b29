"""Every configuration that OpenGait ships, imported to where the message says, is an experiment.

`published_names.csv` has what each file calls its datasets and its run.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from gait import registry
from gait.compat.converters import converters
from gait.compat.names import model_here
from gait.compat.opengait import import_config
from gait.config.load import load_experiment, load_recipe, model_names
from gait.errors import ConfigError

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
CONFIGS: dict[str, Any] = json.loads((FOLDER / "published_configs.json").read_text("utf-8"))
with (FOLDER / "published_names.csv").open(encoding="utf-8", newline="") as file:
    NAMES = {row["file"]: row for row in csv.DictReader(file)}
NO_EXPERIMENTS = {"default.yaml", "skeletongait/pretreatment_heatmap.yaml"}
# What is trained here on one dataset and tested on another is there an experiment of the other.
TESTED_ELSEWHERE = "gaitssb/pretrain_test_on_"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration as it ships, without any experiment."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "datasets", root / "datasets")
    shutil.copytree(ROOT / "config", root / "config")
    shutil.rmtree(root / "config/experiments")
    return root


def foreign(name: str) -> dict[str, Any]:
    """The configuration by its own names."""
    cfg: dict[str, Any] = json.loads(json.dumps(CONFIGS[name]["cfg"]))
    first, *others = NAMES[name]["datasets"].split()
    data: Any = cfg.get("data_cfg", {})
    if others:
        data = [{**data[0], "dataset_name": each} for each in (first, *others)]
    else:
        data = {**data, "dataset_name": first}
    trainer = {**cfg.get("trainer_cfg", {}), "save_name": NAMES[name]["save_name"]}
    return {**cfg, "data_cfg": data, "trainer_cfg": trainer}


def test_every_file_is_tried() -> None:
    assert NAMES.keys() == CONFIGS.keys() | NO_EXPERIMENTS


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.filterwarnings("ignore::gait.compat.foreign.ConversionWarning")
def test_an_import_belongs_where_it_is_said(name: str, checkout: Path, tmp_path: Path) -> None:
    source = tmp_path / "theirs.yaml"
    source.write_text(yaml.safe_dump(foreign(name)), encoding="utf-8")
    text = import_config(source)
    said = re.search(r"put it into (config/experiments/(\S+)/(\S+)/(\S+)\.yaml)\n", text)
    assert said is not None
    path, dataset, model, save_name = said.groups()
    (checkout / path).parent.mkdir(parents=True, exist_ok=True)
    (checkout / path).write_text(text, encoding="utf-8")
    load_experiment(checkout, dataset, model, save_name)
    assert save_name == NAMES[name]["save_name"]
    ours, our_model, _ = CONFIGS[name]["experiment"].split("/")
    assert model == our_model
    assert dataset == ("GaitLU-1M" if name.startswith(TESTED_ELSEWHERE) else ours)


@pytest.mark.parametrize("name", sorted(NO_EXPERIMENTS))
def test_what_is_no_experiment_is_said(name: str, tmp_path: Path) -> None:
    source = tmp_path / Path(name).name
    row = NAMES[name]
    data = {"dataset_name": row["datasets"]} if row["datasets"] else {}
    cfg = {"data_cfg": data, "trainer_cfg": {"save_name": row["save_name"]}}
    source.write_text(yaml.safe_dump(cfg), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{source.name}: is no experiment"):
        import_config(source)


@pytest.mark.parametrize("model", sorted({each.model for each in converters()}))
def test_every_model_has_a_file_of_its_name(model: str) -> None:
    name = model_here({"model": {"name": model}, "inputs": ["silhouettes"]})
    assert name in model_names(ROOT)
    recipe = load_recipe(ROOT, name)
    assert registry.canonical("model", recipe.model.name) == model
