"""A dataset in its archives as they come, by the user's own command, to its official table."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest

from tests import raw_trees
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.workflow

TABLE = "results/OUMVLP/GEI/report.csv"


def test_oumvlp_from_encrypted_archives_to_its_table(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.edit("config/config.yaml", shards=1)
    workspace.write("config/experiments/OUMVLP/GEI/baseline.yaml", {"iterations": 0})
    raw = workspace.root / "data/OUMVLP/raw"
    raw_trees.lay(raw, raw_trees.oumvlp_archives(raw_trees.oumvlp(range(1, 9))))

    run = workspace.snakemake(TABLE)
    assert run.code != 0
    assert (
        run.output.strip()
        .splitlines()[-1]
        .endswith(
            "is encrypted, and neither Silhouette_000-00.7z.password nor password.txt lies beside "
            "it; write the password that the data's owner gave you into one of these files"
        )
    )
    (raw / "password.txt").write_text(raw_trees.PASSWORD)
    assert "segment" not in workspace.made(TABLE).rules()
    with (workspace.root / TABLE).open(encoding="utf-8") as file:
        rows = {(each["protocol"], each["probe"]): each for each in csv.DictReader(file)}
    row = rows["single_view", "NM"]
    # Subjects 00002, 00004, 00006 and 00008, two views.
    assert (row["n_probe"], row["n_gallery"]) == ("8", "8")
    assert row["rank1_pct"] == "100.00"
    assert workspace.planned(TABLE) == set()
