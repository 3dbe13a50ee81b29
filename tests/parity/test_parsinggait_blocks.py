"""The graphs of body parts are those of the published implementation."""

from __future__ import annotations

import pytest
import torch

from gait.layers.part_graph import GRAPHS, PartGraph
from tests.parity import goldens

CASES = goldens.cases("blocks")


@pytest.mark.parametrize("name", GRAPHS)
def test_adjacency(name: str) -> None:
    expected = torch.tensor(CASES[f"ParsingGait normalised {name} adjacency"]["values"])
    torch.testing.assert_close(PartGraph(name, 4).adjacency, expected)
