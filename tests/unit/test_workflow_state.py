"""What the Snakemake rules ask: names, tables, targets and submissions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gait.errors import ConfigError
from gait.workflow.targets import check_targets
from tests.unit.configurations import (
    DEMO,
    GAITSET,
    adopt,
    copy_some,
    experiment,
    flow,
    table,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_some(tmp_path)


# Names.


def test_patterns_match_the_known_names_and_nothing_else(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/x+y.1")
    known = flow(root)
    assert known.datasets == sorted(path.name for path in (root / "datasets").iterdir())
    assert ("SynthGait", "GaitSet", "x+y.1") in known.experiments
    assert re.fullmatch(known.pattern(), "CASIA-B")
    assert re.fullmatch(known.pattern(1), "GaitSet")
    assert re.fullmatch(known.pattern(2), "x+y.1")
    for position, other in ((None, "CASIA-B/x"), (1, "Gait"), (2, "xxy.1"), (2, "x+y-1")):
        assert not re.fullmatch(known.pattern(position), other)


def test_only_a_dataset_with_a_population_is_rendered(root: Path) -> None:
    assert flow(root).rendered == "SynthGait"


def test_without_names_a_pattern_matches_nothing(root: Path) -> None:
    shutil.rmtree(root / "config/experiments")
    shutil.rmtree(root / "datasets")
    empty = flow(root)
    for pattern in (empty.pattern(), empty.pattern(2), empty.rendered):
        assert not re.search(pattern, "anything") and not re.search(pattern, "")


def test_shards_are_named_from_one(root: Path) -> None:
    assert flow(root, shards=3).shards == ["1-of-3", "2-of-3", "3-of-3"]


def test_an_unusable_segmenter_is_refused_with_the_file_to_change(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"config/config\.yaml: segmenter.*'[Bb]ackground'"):
        flow(root, segmenter={"name": "backgroud"})
    with pytest.raises(ConfigError, match=r"config/config\.yaml: segmenter\.treshold"):
        flow(root, segmenter={"name": "background", "treshold": 3})


def test_questions_are_answered_without_torch(root: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from gait.config.yaml import read_yaml\n"
        "from gait.workflow.state import WorkflowState\n"
        "flow = WorkflowState(Path(), read_yaml(Path('config/config.yaml'))[0])\n"
        "flow.page_reports(), flow.slice('training', 'SynthGait', 'GaitSet', 'demo')\n"
        "flow.raw_states('SynthGait')\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "False"


# Tables and targets.


def test_a_pair_s_tables_are_its_experiments_and_the_baselines(root: Path) -> None:
    experiment(root, "SynthGait/GaitSet/another")
    known = flow(root)
    baseline = table("SynthGait", "GEI", "baseline")
    assert known.reports(*GAITSET) == [
        table(*GAITSET, "another"),
        table(*DEMO),
        baseline,
    ]
    assert known.reports("SynthGait", "GEI") == [baseline]
    assert known.models("SynthGait") == ["GEI", "GaitBase", "GaitSet"]


def test_an_unknown_experiment_names_the_nearest(root: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'SynthGait/GaitSet/demo'"):
        flow(root).slice("training", *GAITSET, "dem")


def test_the_page_holds_what_is_behind_the_targets_each_once(root: Path) -> None:
    targets = [table("SynthGait"), table(*GAITSET), "results/report.html"]
    pages = flow(root, targets=targets).page_reports()
    assert sorted(pages) == sorted(
        {
            table(*DEMO),
            table("SynthGait", "GaitBase", "demo"),
            table("SynthGait", "GEI", "baseline"),
        }
    )
    assert len(pages) == len(set(pages))
    for own in (table(*DEMO), table(*DEMO, "on-OUMVLP")):
        assert flow(root, targets=[own]).page_reports() == [own]
    with pytest.raises(ConfigError, match=r"config\.yaml: .*'targets'"):
        flow(root, targets=["results/report.html", ""]).page_reports()


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "SynthGit/GaitSet/report.csv",
            "no dataset is named 'SynthGit'; did you mean 'SynthGait'",
        ),
        ("SynthGit/quality.html", "no dataset is named 'SynthGit'; did you mean 'SynthGait'"),
        (
            "SynthGait/GaitSett/report.csv",
            "SynthGait has no experiment of a model 'GaitSett'; did you mean 'GaitSet'",
        ),
        (
            "SynthGait/GaitSet/dmo/model.pt",
            "config/experiments/SynthGait/GaitSet has no experiment 'dmo'; did you mean 'demo'",
        ),
    ],
)
def test_a_name_in_a_target_that_nobody_knows(root: Path, target: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_targets(["--cores", "2", f"results/{target}"], flow(root))
    assert str(raised.value).startswith(f"results/{target}: {sentence}")


def test_targets_that_are_known_and_arguments_that_are_none(root: Path) -> None:
    known = [
        "--report",
        "results/elsewhere/page.html",
        "results/report.html",
        "results/matrix.csv",
        "results/SynthGait/report.csv",
        "results/SynthGait/GaitSet/demo@3/on-CASIA-B/report.csv",
        "data/SynthGit/manifest.csv",
        "./results/SynthGit/report.csv/more",
        "",
    ]
    check_targets(known, flow(root))


# Submissions.


def test_files_for_challenges_are_those_of_experiments_that_can_run(root: Path) -> None:
    experiment(root, "HID2022/GaitBase/weights", weights="absent.pt")
    experiment(root, "HID2022/GaitBase/plain", evaluation={"protocols": ["submission"]})
    assert flow(root).submissions("HID2022", "GaitBase") == [
        "results/HID2022/GaitBase/paper/submission.csv",
        "results/HID2022/GaitBase/paper/submission-reranked.csv",
        "results/HID2022/GaitBase/plain/submission.csv",
    ]
    assert flow(root).submissions(*GAITSET) == []


def test_a_file_for_a_challenge_comes_from_the_metrics_of_where_it_is_tested(root: Path) -> None:
    adopt(root, "HID2022", "090.pkl")
    known = flow(root)
    own = ("HID2022", "GaitBase", "paper", "")
    assert known.submitted(*own, "submission") == "results/HID2022/GaitBase/paper/metrics.json"
    assert known.submitted(*DEMO, "/on-HID2022", "submission-reranked") == (
        f"results/{'/'.join(DEMO)}/on-HID2022/metrics.json"
    )
    with pytest.raises(ConfigError, match=r"on-HID2022: .* 'submission-x'.*'submission'"):
        known.submitted(*DEMO, "/on-HID2022", "submission-x")
    with pytest.raises(ConfigError, match=r"no submission 'submission'.*SynthGait.*none is known"):
        known.submitted(*DEMO, "", "submission")
