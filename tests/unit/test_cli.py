"""The command line: help, errors as sentences, and the subcommands that people call."""

from __future__ import annotations

import csv
import json
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from gait import __version__
from gait.cli import app, main
from gait.config.load import load_experiment, read_resolved

REPOSITORY = Path(__file__).parents[2]
SUBCOMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]

# What OpenGait's users have: defaults left out, a key without effect, paths of their own.
FOREIGN: dict[str, Any] = {
    "data_cfg": {
        "dataset_name": "CASIA-B",
        "dataset_root": "somewhere",
        "remove_no_gallery": False,
        "test_dataset_name": "CASIA-B",
    },
    "model_cfg": {
        "model": "GaitSet",
        "in_channels": [1, 32, 64, 128],
        "SeparateFCs": {"in_channels": 128, "out_channels": 256, "parts_num": 62},
        "bin_num": [16, 8, 4, 2, 1],
    },
    "loss_cfg": [{"type": "TripletLoss", "margin": 0.3, "log_prefix": "triplet"}],
    "optimizer_cfg": {"solver": "Adam", "lr": 0.001},
    "trainer_cfg": {
        "total_iter": 500,
        "sampler": {
            "type": "TripletSampler",
            "batch_size": [4, 5],
            "sample_type": "fixed_ordered",
            "frames_num_fixed": 20,
            "frames_skip_num": 4,
        },
    },
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the repository's configuration, gone into."""
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments: str | Path) -> str:
    """What a subcommand prints when it succeeds."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> list[str]:
    """The lines on stderr of a subcommand that fails as a user sees it fail."""
    monkeypatch.setattr(sys, "argv", ["gait", *map(str, arguments)])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error.splitlines()


# Help.


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert (command.help or "").rstrip().endswith(".")
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_every_rule_calls_subcommands_that_exist() -> None:
    rules = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
    )
    # What is computed in several processes goes through the launcher, its subcommand next.
    called = re.findall(
        r"shell:\n.*?(?:\bgait |launch\.sh [^\n]*\n\s+\" )([a-z-]+)", rules, re.DOTALL
    )
    assert len(called) == len(re.findall(r"(?m)^rule ", rules))
    commands = set(called)
    assert commands <= set(SUBCOMMANDS)
    assert {"rearrange", "segment", "pretreat", "pack", "train", "embed", "score"} < commands


def test_without_a_subcommand_help_is_shown() -> None:
    for name in SUBCOMMANDS:
        assert name in CliRunner().invoke(app, []).output


def test_version() -> None:
    assert said("--version").strip() == __version__


def test_help_is_there_at_once() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from gait.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(sorted({'torch', 'cv2', 'pandas', 'matplotlib', 'snakemake'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


# Errors that a user can mend.


def test_an_error_is_a_sentence_and_exit_code_1(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gait", "config", "SynthGait/GaitSet/dem"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("gait: error: no experiment is named SynthGait/GaitSet/dem")
    assert "did you mean 'SynthGait/GaitSet/demo'" in line
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("config SynthGait/GaitSet", "<dataset>/<model>/<save_name>"),
        ("config SynthGait/GaitSet/demo/OUMVLP", "/on-<dataset>"),
        ("config SynthGait/GaitSet/demo/on-OUMVLPP", "did you mean 'OUMVLP'"),
        (
            "train SynthGait/GaitSet/demo/on-OUMVLP --packed packed --model model.pt",
            "is tested only",
        ),
        ("synthesize CASIA-B", "has no population"),
        ("synthesize --population [1]", "--population: expected a mapping"),
        ("synthesize --population subjects:", "--population: "),
        (
            "rearrange SyntGait --raw raw --shard 1-of-2 --output shards/a.csv",
            "did you mean 'SynthGait'",
        ),
        (
            "rearrange CASIA-B --raw raw --shard 1-of-2 --output shards/a.csv",
            "CASIA Gait Database",
        ),
        ("rearrange CASIA-B --raw raw --shard 3-of-2 --output shards/a.csv", "<i>-of-<n>"),
        ("rearrange CASIA-B --raw raw --shard first --output shards/a.csv", "<i>-of-<n>"),
        ("merge-catalogue none.csv --output sequences.csv", "none.csv"),
        ("segment none.csv --root data --output o.csv --segmenter {name:", "not valid YAML"),
        ("segment none.csv --root data --output o.csv --segmenter name", "expected a mapping"),
        (
            'segment none.csv --root data --output o.csv --segmenter {"name":"backgroud"}',
            "ackground'",
        ),
        ("pretreat none.csv --root data --output o.csv", "none.csv"),
        ("pack none.csv --root data --manifest m.csv", "none.csv"),
        ("score SynthGait/GaitSet/dem --embeddings e.npz --metrics m.json", "/demo'"),
        ("score none.yaml --embeddings e.npz --metrics m.json", "none.yaml"),
        ("show none.csv", "none.csv"),
        ("merge-tables none.csv --output o.csv", "none.csv"),
        ("import-config none.yaml", "none.yaml"),
    ],
)
def test_what_cannot_be_used_is_named(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    part: str,
) -> None:
    lines = refused(monkeypatch, capsys, *command.split(" "))
    assert all(line.startswith("gait: error: ") for line in lines)
    assert part in "\n".join(lines)


def test_all_problems_are_lines_of_their_own(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "config/experiments/SynthGait/GaitSet/wrong.yaml"
    file.write_text("iteration: 3\noptimiser: {name: SGD}\n", encoding="utf-8")
    lines = refused(monkeypatch, capsys, "config", "SynthGait/GaitSet/wrong")
    assert len(lines) == 2
    for line, number, nearest in zip(lines, (1, 2), ("iterations", "optimizer"), strict=True):
        assert line.startswith("gait: error: ")
        assert f"wrong.yaml:{number}: " in line and f"did you mean '{nearest}'" in line


# gait config.


def test_config_shows_every_value_as_yaml(root: Path) -> None:
    shown = yaml.safe_load(said("config", "SynthGait/GaitSet/demo"))
    resolved, _ = load_experiment(root, "SynthGait", "GaitSet", "demo")
    assert shown == resolved.experiment.model_dump(mode="json")


def test_config_with_origins_names_the_file_of_each_value(root: Path) -> None:
    lines = said("config", "SynthGait/GaitSet/demo", "--origin").splitlines()
    origins = dict(line.split("#", 1) for line in lines)
    places = {key.split(":")[0]: place.strip() for key, place in origins.items()}
    demo = "config/experiments/SynthGait/GaitSet/demo.yaml"
    assert places["iterations"].startswith(f"{demo}:")
    assert places["model.bins"].startswith("config/models/GaitSet.yaml:")
    assert places["precision"].startswith("config/defaults.yaml:")
    assert places["gradient_clip"] == "built-in default"


def test_config_of_an_experiment_tested_elsewhere(root: Path) -> None:
    output = root / "config.yaml"
    said("config", "SynthGait/GaitSet/demo/on-OUMVLP", "--output", output)
    written = read_resolved(output)
    assert written.identity == "SynthGait/GaitSet/demo/on-OUMVLP"
    own = load_experiment(root, "SynthGait", "GaitSet", "demo")[0]
    assert written.experiment.embedding == own.experiment.embedding
    assert written.dataset.partition.test != own.dataset.partition.test


def test_config_writes_what_the_stages_read(root: Path) -> None:
    output = root / "results/SynthGait/GaitSet/demo/config.yaml"
    said("config", "SynthGait/GaitSet/demo", "--output", output)
    assert read_resolved(output) == load_experiment(root, "SynthGait", "GaitSet", "demo")[0]
    written = output.stat().st_mtime_ns
    said("config", "SynthGait/GaitSet/demo", "--output", output)
    assert output.stat().st_mtime_ns == written


# From a raw tree, and from a pkl tree that was there before.


def test_rearrange_and_materialise(root: Path) -> None:
    frames = root / "data/CASIA-B/raw/001/nm-01/090"
    frames.mkdir(parents=True)
    for number in (1, 2):
        (frames / f"001-nm-01-090-{number:03d}.png").write_bytes(b"image")
    (frames / "Thumbs.db").touch()
    raw, catalogue = root / "data/CASIA-B/raw", root / "data/CASIA-B/sequences.csv"
    shards = [root / f"data/CASIA-B/shards/{index}-of-2.csv" for index in (1, 2)]
    for shard in shards:
        of = ("--shard", shard.stem, "--output", shard)
        printed = said("rearrange", "CASIA-B", "--raw", raw, *of)
        assert "1 sequences of 1 subjects" in printed and "system file: 1" in printed
    assert "1 sequences" in said("merge-catalogue", *shards, "--output", catalogue)
    with catalogue.open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["subject"], row["condition"], row["view"]) == ("001", "nm-01", "090")
    for how, is_link in (("copy", False), ("symlink", True)):
        tree = root / f"tree-{how}"
        printed = said(
            *("rearrange", "CASIA-B", "--raw", raw, "--output", catalogue),
            *("--materialise", how, "--tree", tree),
        )
        assert f"1 sequences in {tree}" in printed.replace("\n", "")
        assert (tree / "001/nm-01/090").is_symlink() == is_link
        assert len(list((tree / "001/nm-01/090").glob("*.png"))) == 2


def test_check_tells_what_is_missing_and_fails_on_what_cannot_be_used(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = root / "data/Gait3D/pkl/0000/camid0_videoid2/seq0"
    folder.mkdir(parents=True)
    walkers = np.zeros((9, 64, 64), np.uint8)
    walkers[:, :, 24:40] = 255
    (folder / "seq0.pkl").write_bytes(pickle.dumps(walkers))
    text = said("check", "Gait3D", "--output", "check.csv")
    assert "warning: missing test subjects: 1,000 (0002, 0007, 0011, ...)" in text
    with (root / "check.csv").open(encoding="utf-8") as file:
        assert [row["count"] for row in csv.DictReader(file)] == ["2999", "1000"]
    (folder / "seq0.pkl").write_bytes(b"torn")
    last = refused(monkeypatch, capsys, "check", "Gait3D", "--output", "check.csv")[-1]
    assert last.startswith("gait: error: pkl files cut short: 1 (data/Gait3D/pkl/0000/")
    assert "severity" in (root / "check.csv").read_text(encoding="utf-8")


def test_adopt_lists_a_pkl_tree(root: Path) -> None:
    dataset = root / "data/CASIA-B"
    for view in ("000", "090"):
        folder = dataset / "pkl/001/nm-01" / view
        folder.mkdir(parents=True)
        with (folder / f"{view}.pkl").open("wb") as file:
            pickle.dump(np.zeros((3, 64, 64), np.uint8), file)
    (dataset / "pkl/readme.txt").touch()
    table = dataset / "shards/imported.pkl.csv"
    printed = said("import-pkl", "--root", dataset, "--output", table)
    assert "2 sequences" in printed and "not used" in printed
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["view"], row["frames_kept"]) for row in rows] == [("000", "3"), ("090", "3")]


def test_adopt_is_told_what_files_are_called(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = root / "data/CASIA-B-star"
    folder = dataset / "pkl/001/nm-01/090"
    folder.mkdir(parents=True)
    (folder / "090-aligned-sils.pkl").write_bytes(pickle.dumps(np.zeros((3, 64, 44), np.uint8)))
    (folder / "090-rgbs.pkl").write_bytes(pickle.dumps(np.zeros((3, 3, 128, 128), np.uint8)))
    table = dataset / "shards/imported.pkl.csv"
    mapping = json.dumps({"silhouettes": "{view}-aligned-sils.pkl", "rgb": "*-rgbs.pkl"})
    printed = said("import-pkl", "--root", dataset, "--output", table, "--pkl", mapping)
    assert printed.splitlines() == ["1 sequences of rgb", "1 sequences of silhouettes"]
    arguments = ("import-pkl", "--root", str(dataset), "--output", str(table), "--pkl")
    last = refused(monkeypatch, capsys, *arguments, "sils")[-1]
    assert last.startswith("gait: error: --pkl sils: 'sils' is no modality; ")


# OpenGait's YAML.


def test_import_config_gives_an_experiment_that_is_accepted(root: Path) -> None:
    source = root / "gaitset.yaml"
    source.write_text(yaml.safe_dump(FOREIGN), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = said("import-config", source)
        output = root / "config/experiments/CASIA-B/GaitSet/imported.yaml"
        said("import-config", source, "--output", output)
    assert output.read_text(encoding="utf-8") == text
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert any("data_cfg.remove_no_gallery" in line for line in comments)
    experiment = load_experiment(root, "CASIA-B", "GaitSet", "imported")[0].experiment
    assert experiment.iterations == 500
    assert experiment.losses["triplet"].settings == {"name": "Triplet", "margin": 0.3}
    # OpenGait lays what is left out under what is given, so Adam decays weights there.
    assert experiment.optimizer.settings == {"name": "Adam", "lr": 0.001, "weight_decay": 0.0005}
    assert experiment.sampler.settings["sequences"] == 5
    assert (experiment.frames.order, experiment.frames.count) == ("ordered", 20)
    assert experiment.frames.skip == 4


def test_import_config_names_what_it_does_not_know(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = root / "other.yaml"
    model = FOREIGN["model_cfg"] | {"model": "GaitSett"}
    source.write_text(yaml.safe_dump(FOREIGN | {"model_cfg": model}), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = refused(monkeypatch, capsys, "import-config", source)
    assert lines[-1].startswith("gait: error: ") and "GaitSett" in lines[-1]


def test_a_fault_of_ours_ends_in_a_sentence_behind_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by\nnothing")

    monkeypatch.setattr("gait.cli.app", broken)
    monkeypatch.setattr("gait.cli.escape_streams", lambda: None)
    with pytest.raises(SystemExit) as ended:
        main()
    *above, last = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1 and "Traceback (most recent call last):" in above
    assert last == (
        "gait: error: a fault of this software, unforeseen: ZeroDivisionError: by nothing; "
        "please report it with its traceback, which is above or in the job's log"
    )
