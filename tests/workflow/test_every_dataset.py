"""Every dataset, as its owners give it out, by one call of the workflow to its official table."""

from __future__ import annotations

import csv
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gait.config.load import dataset_names, load_dataset
from tests import raw_archives, raw_trees
from tests.raw_pkl_trees import silhouettes
from tests.raw_trees import Tree
from tests.workflow.workspace import GAITTR, REPOSITORY, SCONET, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

# These have tests of their own beside this one.
SCORED_ELSEWHERE = {
    "CASIA-B-star",
    "CCGR-MINI",
    "FreeGait",
    "OUMVLP",
    "OUMVLP-Pose",
    "SUSTech1K",
    "SUSTech1K-sync",
    "SynthGait",
}

# Nothing is trained; figures differ so much that each is known by its mean silhouette.
GEI: dict[str, Any] = {"iterations": 0, "evaluation": {"bootstrap": 20}}


class Case(NamedTuple):
    """A dataset's raw data, and a row of each protocol's table as it should be.

    Attributes:
        raw: what lies in `raw`.
        model: what is trained, or only tested.
        experiment: its settings.
        rows: probes, gallery and rank-1 (None where only that there is one counts) by protocol
            and row.
        files: what else is asked for, below `results/<dataset>/<model>/`.
    """

    raw: Tree
    model: str
    experiment: dict[str, Any]
    rows: dict[tuple[str, str], tuple[int, int, str | None]]
    files: tuple[str, ...] = ()


def casia_b() -> Tree:
    """`GaitDatasetB-silh.zip` of two test subjects, with a tar.gz each."""
    tree = {
        f"{who:03d}/{condition}/{view}/{who:03d}-{condition}-{view}-{step:03d}.png": (
            raw_trees.encoded(raw_trees.figure(who - 74, step, 240, 320))
        )
        for who in (75, 76)
        for condition in ("nm-01", "nm-02", "nm-05", "bg-01", "bg-02", "cl-01", "cl-02")
        for view in ("000", "090")
        for step in range(7, 12)
    }
    subjects = raw_archives.grouped(tree, lambda name: name[:3])
    archives = {f"{who}.tar.gz": raw_archives.tar(part, True) for who, part in subjects.items()}
    return {"GaitDatasetB-silh.zip": raw_archives.zipped(archives)}


def gait3d() -> Tree:
    """Two training subjects, and a probe and another sequence of two test subjects."""
    return raw_trees.gait3d(
        [
            *("0000/camid0_videoid2/seq0", "0000/camid0_videoid2/seq1"),
            *("0001/camid1_videoid2/seq0", "0001/camid1_videoid2/seq1"),
            *("0002/camid33_videoid2/seq0", "0002/camid2_videoid2/seq1"),
            *("0007/camid9_videoid1/seq0", "0007/camid7_videoid2/seq1"),
        ]
    )


def d_gait() -> Tree:
    """A pkl tree of two training and two test subjects of each class."""
    return {
        f"{subject}/walk_D/000/000.pkl": pickle.dumps(silhouettes(number, 6))
        for number, subject in enumerate(
            ("D_000", "D_003", "N_002", "N_003", "D_001", "D_002", "N_000", "N_001")
        )
    }


def scoliosis1k() -> Tree:
    """`Scoliosis1K-sil-raw.zip` of a training and a test subject of each class."""
    cut = load_dataset(REPOSITORY, "Scoliosis1K")[0].partition
    chosen = [*sorted(cut.train)[:3], *sorted(cut.test)[:3]]
    tree = {
        f"Scoliosis1K-sil-raw/{subject}/{condition}/000_180/{step:05d}.png": (
            raw_trees.encoded(raw_trees.figure(number, step))
        )
        for number, (subject, condition) in enumerate(
            zip(chosen, ("Positive", "Neutral", "Negative") * 2, strict=True)
        )
        for step in range(6)
    }
    return {"Scoliosis1K-sil-raw.zip": raw_archives.zipped(tree)}


def hid(year: int) -> Tree:
    """A year's archives: a gallery of two subjects, of whom the probe is the second."""
    gallery = ["gallery/00000/1", "gallery/00858/1"]
    probe = "probe_phase1/7" if year > 2023 else "probe/7"
    if year == 2022:
        gallery = ["HID2022_test_gallery/0500/1", "HID2022_test_gallery/1004/1"]
        probe = "HID2022_test_probe/7"
    tree = raw_trees.hid(gallery)
    second = {path: data for path, data in tree.items() if path.startswith(gallery[1])}
    tree |= {path.replace(gallery[1], probe): data for path, data in second.items()}
    return raw_archives.hid_archives(tree, are_inside=year == 2022)


def grew() -> Tree:
    """`train.zip` and `test.zip`, encrypted."""
    archives = raw_archives.grew_archives(raw_trees.grew())
    return archives | {"password.txt": raw_archives.PASSWORD.encode()}


VIEWS = {
    ("single_view", "NM"): (4, 8, "100.00"),
    ("single_view", "BG"): (8, 8, "100.00"),
    ("cross_view_gallery", "CL"): (4, 12, "100.00"),
    ("verification", "CL"): (8, 8, ""),
}
SUBMITTED: dict[tuple[str, str], tuple[int, int, str | None]] = {
    ("submission", "all"): (1, 2, ""),
    ("submission-reranked", "all"): (1, 2, ""),
}
FILES = ("baseline/submission.csv", "baseline/submission-reranked.csv")

CASES: dict[str, Callable[[], Case]] = {
    "CASIA-B": lambda: Case(casia_b(), "GEI", GEI, VIEWS),
    "CASIA-B-128": lambda: Case(casia_b(), "GEI", GEI, VIEWS),
    "CASIA-B-Pose": lambda: Case(
        raw_trees.casia_b_pose(),
        "GaitTR",
        GAITTR | {"evaluation": {"bootstrap": 20, "protocols": ["single_view"]}},
        {("single_view", "NM"): (4, 4, None), ("single_view", "CL"): (4, 4, None)},
    ),
    "OUMVLP-Pose17": lambda: Case(
        raw_trees.oumvlp_pose(range(1, 9)),
        "GaitTR",
        GAITTR,
        {("single_view", "NM"): (8, 8, None)},
    ),
    "CASIA-E": lambda: Case(
        raw_archives.casia_e_archives(raw_trees.casia_e()),
        "GEI",
        GEI,
        # Three subjects, views 000 and 090, two scenes; one sequence of each scene is too short.
        {("single_view", "NM"): (11, 6, "100.00"), ("single_view", "CL"): (0, 6, "")},
    ),
    "CCPG": lambda: Case(
        {"CCPG.zip": raw_archives.zipped(raw_trees.ccpg((1, 100, 105)))},
        "GEI",
        GEI,
        {
            # The camera's own sequences of the subject are left out.
            ("reid", "CL"): (8, 4, "100.00"),
            ("reid", "UP"): (0, 0, ""),
            ("reid", "BG"): (4, 4, "100.00"),
            ("single_view", "BG"): (4, 4, "100.00"),
            ("all_views", "BG"): (4, 4, "100.00"),
        },
    ),
    "D-Gait": lambda: Case(d_gait(), "ScoNet", SCONET, {("diagnosis", "depressed"): (2, 0, None)}),
    "Scoliosis1K": lambda: Case(
        scoliosis1k(), "ScoNet", SCONET, {("diagnosis", "positive"): (1, 0, None)}
    ),
    "GREW": lambda: Case(
        grew(),
        "GEI",
        GEI,
        {("local", "all"): (2, 2, "100.00"), ("submission", "all"): (3, 4, "")},
        ("baseline/submission.csv",),
    ),
    "Gait3D": lambda: Case(gait3d(), "GEI", GEI, {("retrieval", "all"): (2, 2, "100.00")}),
    "Gait3D-Parsing": lambda: Case(
        gait3d(), "GEI", GEI | {"inputs": ["parsing"]}, {("retrieval", "all"): (2, 2, "100.00")}
    ),
    "HID2022": lambda: Case(hid(2022), "GEI", GEI, SUBMITTED, FILES),
    "HID2023": lambda: Case(hid(2023), "GEI", GEI, SUBMITTED, FILES),
    "HID2024": lambda: Case(
        hid(2024),
        "GEI",
        GEI,
        {("submission-phase1", "all"): (1, 2, ""), ("submission", "all"): (0, 2, "")},
        ("baseline/submission-phase1.csv",),
    ),
    "HID2025": lambda: Case(
        hid(2025),
        "GEI",
        GEI,
        {("submission-phase1", "all"): (1, 2, ""), ("submission-phase2", "all"): (0, 2, "")},
        ("baseline/submission-phase1.csv", "baseline/submission-phase1-reranked.csv"),
    ),
}


def test_every_dataset_that_can_be_scored_is_scored_in_some_test() -> None:
    names = dataset_names(REPOSITORY)
    scored = {name for name in names if load_dataset(REPOSITORY, name)[0].protocols}
    assert scored == CASES.keys() | SCORED_ELSEWHERE
    assert not CASES.keys() & SCORED_ELSEWHERE


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Case]]:
    """All tables, made in one call of the workflow."""
    workspace = Workspace(tmp_path_factory.mktemp("every"))
    workspace.edit("config/config.yaml", shards=1)
    cases = {name: make() for name, make in CASES.items()}
    targets = []
    for name, case in cases.items():
        raw_trees.lay(workspace.root / f"data/{name}/raw", case.raw)
        folder = f"{name}/{case.model}"
        workspace.write(f"config/experiments/{folder}/baseline.yaml", case.experiment)
        targets += [f"results/{folder}/{each}" for each in ("baseline/report.csv", *case.files)]
    run = workspace.made(*targets)
    assert not {"segment", "import_pkl"} & run.rules()
    assert workspace.planned(*targets) == set()
    return workspace.root, cases


@pytest.mark.parametrize("name", CASES)
def test_its_table_is_the_official_one(name: str, scored: tuple[Path, dict[str, Case]]) -> None:
    root, cases = scored
    case = cases[name]
    table = root / f"results/{name}/{case.model}/baseline/report.csv"
    with table.open(encoding="utf-8") as file:
        rows = {(row["protocol"], row["probe"]): row for row in csv.DictReader(file)}
    for place, (n_probe, n_gallery, rank1_pct) in case.rows.items():
        row = rows[place]
        assert (int(row["n_probe"]), int(row["n_gallery"] or 0)) == (n_probe, n_gallery), place
        figure = row["rank1_pct"] or row.get("recall_pct", "")
        assert figure == rank1_pct if rank1_pct is not None else np.isfinite(float(figure)), place
    # What cannot be known is empty, and no text that a reader takes for a number.
    assert not {"nan", "inf"} & {value.lower() for row in rows.values() for value in row.values()}


def test_what_organisers_are_sent(scored: tuple[Path, dict[str, Case]]) -> None:
    root, _ = scored
    for year, phase in ((2022, ""), (2023, ""), (2024, "-phase1"), (2025, "-phase1")):
        # As the competition describes it: videoID, and the label of the gallery with its zeros.
        file = root / f"results/HID{year}/GEI/baseline/submission{phase}.csv"
        expected = ["videoID,label", f"7,{'1004' if year == 2022 else '00858'}"]
        assert file.read_text(encoding="utf-8").splitlines() == expected
    lines = (root / "results/GREW/GEI/baseline/submission.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(lines.splitlines())
    assert header == ["videoId", *(f"rank{rank}" for rank in range(1, 21))]
    assert [row[0] for row in rows] == ["0a1B2c3D", "Hh7Gg6Ff", "m0N1o2P3"]
    # Four gallery sequences of two subjects; what is beyond stays empty.
    assert all(sorted(filter(None, row[1:])) == ["1", "1", "2", "2"] for row in rows)
