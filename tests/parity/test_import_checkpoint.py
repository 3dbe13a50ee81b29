"""A published checkpoint, given as a file with its configuration, becomes a `model.pt` of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gait.compat import opengait
from gait.compat.converters import by_foreign_name
from gait.config.yaml import write_yaml
from gait.engine.state.weights import load_strictly, read_model
from tests.parity import goldens
from tests.parity.test_models_goldens import NAMES, read

CONFIGS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "published_configs.json").read_text(encoding="utf-8")
)
# One golden of each foreign model.
ONE_EACH = {read(name)["model"]: name for name in NAMES}


@pytest.mark.parametrize("model", sorted(ONE_EACH))
@pytest.mark.filterwarnings("ignore::gait.compat.foreign.ConversionWarning")
def test_a_file_becomes_ours(model: str, tmp_path: Path) -> None:
    golden = read(ONE_EACH[model])
    cfg = json.loads(json.dumps(CONFIGS[golden["config"].removeprefix("configs/")]["cfg"]))
    cfg["model_cfg"] = golden["model_cfg_used"]
    source, config = tmp_path / "published.pt", tmp_path / "published.yaml"
    torch.save({"model": goldens.weights(golden), "iteration": 1}, source)
    config.write_text(write_yaml(cfg), encoding="utf-8")
    opengait.import_checkpoint(source, config, tmp_path / "model.pt")
    imported = read_model(tmp_path / "model.pt")
    dataset = cfg["data_cfg"]["dataset_name"] if isinstance(cfg["data_cfg"], dict) else None
    network = opengait.build_model(golden["model_cfg_used"], dataset)
    assert type(network).__name__ == by_foreign_name(model).model
    load_strictly(network, imported.model, "the imported file")
    returned = opengait.state_dict(network)
    expected = goldens.weights(golden)
    assert all(torch.equal(value, expected[name]) for name, value in returned.items())
