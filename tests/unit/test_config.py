"""Layers of configuration, what is refused, and where each value comes from."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gait.cli import app
from gait.config.load import (
    describe,
    experiment_names,
    load_dataset,
    load_experiment,
    merge,
    misnamed_experiments,
    read_resolved,
)
from gait.config.settings import check_settings
from gait.config.yaml import read_yaml, write_yaml
from gait.errors import ConfigError
from tests.unit.configurations import copy_configuration

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copy_configuration(tmp_path)


def experiment(root: Path, text: str, name: str = "SynthGait/GaitSet/mine") -> None:
    path = root / "config/experiments" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_experiment_lies_on_model_lies_on_defaults(root: Path) -> None:
    experiment(root, "model: {embedding_channels: 32}\nlosses: {triplet: {margin: 0.3}}\n")
    resolved, origins = load_experiment(root, "SynthGait", "GaitSet", "mine")
    model = resolved.experiment.model.settings
    assert model["embedding_channels"] == 32
    assert model["channels"] == [32, 64, 128]
    assert resolved.experiment.losses["triplet"].settings == {"name": "Triplet", "margin": 0.3}
    assert origins["model.embedding_channels"].file.name == "mine.yaml"
    assert origins["model.channels"].file.name == "GaitSet.yaml"
    assert origins["losses.triplet.margin"].line == 2
    assert origins["iterations"].file.name == "defaults.yaml"


def test_another_component_replaces_the_one_below_whole(root: Path) -> None:
    experiment(root, "optimizer: {name: Adam, lr: 1e-4}\n")
    resolved, origins = load_experiment(root, "SynthGait", "GaitSet", "mine")
    assert resolved.experiment.optimizer.settings == {"name": "Adam", "lr": 1e-4}
    assert "optimizer.momentum" not in origins


def test_all_problems_are_reported_together_with_their_places(root: Path) -> None:
    experiment(
        root,
        "iterationz: 5\n"
        "model: {chanels: [1]}\n"
        "losses: {triplet: {name: Triplett}}\n"
        "optimizer: {name: SGD, lr: 0.1, nesterof: true}\n"
        "frames: {number: unfixed}\n"
        "precision: fp64\n",
    )
    with pytest.raises(ConfigError) as raised:
        load_experiment(root, "SynthGait", "GaitSet", "mine")
    problems = "\n".join(raised.value.problems)
    for expected in (
        "mine.yaml:1: iterationz: unknown key; did you mean 'iterations'",
        "mine.yaml:2: model.chanels: GaitSet has no such parameter; did you mean 'channels'",
        "mine.yaml:3: losses.triplet.name: no loss is named 'Triplett'; did you mean 'Triplet'",
        "mine.yaml:4: optimizer.nesterof: SGD has no such parameter; did you mean 'nesterov'",
        "mine.yaml:5: frames: number: unfixed needs count_range",
        "mine.yaml:6: precision: input should be 'fp32', 'bf16' or 'fp16', got 'fp64'",
    ):
        assert expected in problems, problems


def test_of_a_long_value_only_the_beginning_is_shown(root: Path) -> None:
    experiment(root, f"frames: {{number: unfixed, count: 7}}\nprecision: {'x' * 5000}\n")
    with pytest.raises(ConfigError) as raised:
        load_experiment(root, "SynthGait", "GaitSet", "mine")
    problems = [each.partition(": ")[2] for each in raised.value.problems]
    assert any(each.endswith("got '" + "x" * 199 + "...") for each in problems)
    assert any("count_range" in each and "'count': 7" in each for each in problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sampler: {subjects: 1}", r"mine\.yaml:1: sampler\.subjects is 1, .*triplet \(Triplet\)"),
        ("sampler: {sequences: 1}", r"sampler\.sequences is 1, .*set it to 2 or more"),
        ("sampler: {name: CommonSampler, batch: 1}", r"sampler\.batch is 1, .*learns nothing"),
        (
            "losses: {triplet: null, c: {name: SupCon}}\nsampler: {sequences: 1}",
            r"losses\.c \(SupCon\)",
        ),
        (
            "losses: {triplet: null, c: {name: Contrastive}}\n"
            "sampler: {name: BilateralSampler, batch: 1}",
            r"losses\.c \(Contrastive\)",
        ),
    ],
)
def test_a_loss_that_would_learn_nothing_is_refused(root: Path, text: str, message: str) -> None:
    experiment(root, text)
    with pytest.raises(ConfigError, match=message):
        load_experiment(root, "SynthGait", "GaitSet", "mine")
    # What is not trained, or compares nothing, may be drawn as it likes.
    for harmless in ("iterations: 0", "weights: a.pt"):
        experiment(root, f"{text}\n{harmless}\n")
        load_experiment(root, "SynthGait", "GaitSet", "mine")


def test_a_loss_of_pairs_needs_two_training_subjects(root: Path) -> None:
    experiment(root, "seed: 1\n")
    path = root / "datasets/SynthGait/partition.yaml"
    path.write_text("train: ['001']\ntest: ['002-004']\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"losses\.triplet: .* SynthGait has 1 to train on"):
        load_experiment(root, "SynthGait", "GaitSet", "mine")
    path.write_text("train: ['*']\ntest: []\n", encoding="utf-8")
    load_experiment(root, "SynthGait", "GaitSet", "mine")


def test_a_key_given_twice_is_refused(root: Path) -> None:
    experiment(root, "seed: 1\nseed: 2\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2: seed is given twice"):
        load_experiment(root, "SynthGait", "GaitSet", "mine")


def test_unknown_names_list_the_nearest(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean .*'SynthGait/GaitSet/demo'"):
        load_experiment(root, "SynthGait", "GaitSet", "dmo")
    with pytest.raises(ConfigError, match="did you mean 'SynthGait'"):
        load_dataset(root, "SyntGait")


def test_an_unknown_protocol_names_those_there_are(root: Path) -> None:
    experiment(root, "evaluation: {protocols: [single_vieww]}\n")
    with pytest.raises(ConfigError, match="did you mean 'single_view'"):
        load_experiment(root, "SynthGait", "GaitSet", "mine")


def test_problems_of_a_protocol_have_their_place_whatever_its_kind(root: Path) -> None:
    path = root / "datasets/SynthGait/dataset.yaml"
    text = path.read_text(encoding="utf-8")
    more = (
        "  submission:\n"
        "    kind: submission\n"
        "    tittle: wrong\n"
        "    gallery: {conditions: [nm-01]}\n"
        "    probes: {}\n"
        "    columns: video label\n"
    )
    changed = text.replace("    exclude: identical_view\n", "    excluded: none\n")
    path.write_text(changed.replace("\nbaselines", f"{more}\nbaselines"), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_dataset(root, "SynthGait")
    found = {re.sub(r"^.*dataset.yaml:\d+: ", "", each) for each in raised.value.problems}
    assert found == {
        "protocols.single_view.exclude: is missing",
        "protocols.single_view.excluded: unknown key; did you mean 'exclude'?",
        "protocols.submission.title: is missing",
        "protocols.submission.tittle: unknown key; did you mean 'title'?",
        "protocols.submission.gallery.conditions: unknown key; did you mean 'condition'?",
    }


def test_a_protocol_that_scores_another_output_is_refused(root: Path) -> None:
    experiment(root, "evaluation: {output: iou, protocols: [single_view]}\n")
    with pytest.raises(ConfigError, match="single_view is a retrieval, which scores the output"):
        load_experiment(root, "SynthGait", "GaitSet", "mine")


def test_training_is_not_watched_by_what_only_others_can_score(root: Path) -> None:
    text = "logging: {evaluate_every: 5}\n"
    experiment(root, text, name="HID2022/GaitBase/watched")
    with pytest.raises(
        ConfigError, match=r"watched\.yaml:1: logging\.evaluate_every: .*submission"
    ):
        load_experiment(root, "HID2022", "GaitBase", "watched")
    experiment(root, text, name="GREW/GaitBase/watched")
    assert list(load_experiment(root, "GREW", "GaitBase", "watched")[0].validation_protocols) == [
        "local"
    ]


def test_an_experiment_chooses_a_partition(root: Path) -> None:
    path = root / "datasets/SynthGait/partition-small.yaml"
    path.write_text("train: [001-002]\ntest: ['003']\n", encoding="utf-8")
    experiment(root, "partition: small\n")
    chosen = load_experiment(root, "SynthGait", "GaitSet", "mine")[0]
    experiment(root, "{}\n")
    usual = load_experiment(root, "SynthGait", "GaitSet", "mine")[0]
    assert chosen.dataset.partition.test == ["003"] != usual.dataset.partition.test
    slices = ("training_slice", "embedding_slice")
    assert all(getattr(chosen, each)() != getattr(usual, each)() for each in slices)
    assert chosen.scoring_slice() == usual.scoring_slice()
    experiment(root, "partition: smal\n")
    with pytest.raises(ConfigError, match=r"SynthGait has no partition 'smal'.*mean 'small'"):
        load_experiment(root, "SynthGait", "GaitSet", "mine")


def test_an_experiment_whose_name_no_output_can_have_costs_only_itself(root: Path) -> None:
    before = experiment_names(root)
    assert misnamed_experiments(root) == []
    for name in ("SynthGait/GaitSet/a b", "CASIA-B*/GaitSet/mine"):
        experiment(root, "seed: 1\n", name=name)
    assert experiment_names(root) == before
    first, second = misnamed_experiments(root)
    assert "CASIA-B*/GaitSet/mine.yaml: 'CASIA-B*' cannot name an output" in first
    assert "a b.yaml: 'a b' cannot name an output" in second


def test_resolved_experiments_survive_the_way_through_a_file(root: Path, tmp_path: Path) -> None:
    for key in experiment_names(root):
        resolved, _ = load_experiment(root, *key)
        path = tmp_path / "config.yaml"
        path.write_text(write_yaml(resolved.model_dump(mode="json")), encoding="utf-8")
        assert read_resolved(path) == resolved


def test_slices_change_only_with_what_they_are_named_for(root: Path) -> None:
    def slices(text: str) -> tuple[object, object, object]:
        experiment(root, text)
        resolved, _ = load_experiment(root, "SynthGait", "GaitSet", "mine")
        return resolved.training_slice(), resolved.embedding_slice(), resolved.scoring_slice()

    base = slices("{}\n")
    assert slices("logging: {log_every: 7}\n") == base
    training = slices("frames: {count: 7}\n")
    assert training[0] != base[0] and training[1:] == base[1:]
    embedding = slices("embedding: {frames_limit: 7}\n")
    assert embedding[1] != base[1] and (embedding[0], embedding[2]) == (base[0], base[2])
    scoring = slices("evaluation: {distance: cosine}\n")
    assert scoring[2] != base[2] and scoring[:2] == base[:2]


def test_describe_gives_each_value_its_file(root: Path) -> None:
    experiment(root, "iterations: 7\n")
    resolved, origins = load_experiment(root, "SynthGait", "GaitSet", "mine")
    lines = describe(resolved.experiment, origins).splitlines()
    assert any(each.startswith("iterations: 7 ") and "mine.yaml:1" in each for each in lines)
    assert any(each.startswith("model.channels: [32, 64, 128]") for each in lines)
    assert any("built-in default" in each for each in lines)


def test_merge_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}}
    merged, _ = merge(base, {"a": {"c": [3]}}, {}, {})
    assert merged == {"a": {"b": 1, "c": [3]}}
    assert base == {"a": {"b": 1, "c": [1, 2]}}


def test_numbers_like_1e_4_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("lr: 1e-4\nname: 1e\n", encoding="utf-8")
    assert read_yaml(path)[0] == {"lr": 1e-4, "name": "1e"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "expected a mapping"),
        ("a: [1\n", "not valid YAML"),
        ("a: !!x 1\n", "the tag !!x is unknown"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_yaml(path)


def test_an_experiment_may_be_cut_by_a_json_file(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "anywhere.json"
    file.write_text(json.dumps({"TRAIN_SET": ["1", "3"], "TEST_SET": ["2"]}), encoding="utf-8")
    experiment(root, f"partition: {file}\n")
    resolved = load_experiment(root, "SynthGait", "GaitSet", "mine")[0]
    assert resolved.dataset.partition.train == ["1", "3"]
    assert resolved.dataset.partition.test == ["2"]
    path = root / "resolved.yaml"
    path.write_text(write_yaml(resolved.model_dump(mode="json")), encoding="utf-8")
    assert read_resolved(path) == resolved


def test_null_takes_an_inherited_loss_away(root: Path) -> None:
    experiment(root, "losses: {triplet: null}\n", name="SynthGait/GaitBase/mine")
    resolved, origins = load_experiment(root, "SynthGait", "GaitBase", "mine")
    assert set(resolved.experiment.losses) == {"softmax"}
    assert not [each for each in origins if each.startswith("losses.triplet.")]


def test_settings_of_the_workflow_are_checked_all_at_once() -> None:
    settings = read_yaml(REPOSITORY / "config/config.yaml")[0]
    schema = REPOSITORY / "workflow/schemas/config.schema.yaml"
    check_settings(settings, schema)
    settings["shard"] = settings.pop("shards")
    settings["resources"]["embed"]["nodes"] = 2
    settings["resources"]["train"]["threads"] = 0
    with pytest.raises(ConfigError) as raised:
        check_settings(settings, schema)
    text = str(raised.value)
    assert "shard: unknown key; did you mean 'shards'" in text
    assert "resources.embed.nodes: unknown key" in text
    assert "resources.train.threads: 0 is less than the minimum of 1" in text


def test_text_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_yaml(path)


def test_every_flipped_bit_of_a_resolved_experiment_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    done = CliRunner().invoke(app, ["config", "CASIA-B/GaitSet/paper", "--output", str(path)])
    assert done.exit_code == 0, done.output
    assert read_resolved(path).dataset.name == "CASIA-B"
    whole = path.read_bytes()
    mark = whole.rindex(b"# sha256: ")
    generator = random.Random(6)
    for _ in range(100):
        damaged = bytearray(whole)
        position = generator.randrange(8 * mark)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"config.yaml: differs .* again with gait config"):
            read_resolved(path)
    # Without the line it is whoever wrote it who answers for it.
    path.write_bytes(whole[:mark])
    assert read_resolved(path).dataset.name == "CASIA-B"
