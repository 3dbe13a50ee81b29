"""YAML and JSON that nobody of good will wrote, or somebody by mistake: one sentence each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gait.config.dataset import Population, named_subjects
from gait.config.experiment import Experiment
from gait.config.load import (
    load_dataset,
    load_experiment,
    load_recipe,
    model_names,
    validated,
)
from gait.config.partition import read_partition
from gait.config.schema import mistaken_booleans
from gait.config.settings import check_settings
from gait.config.yaml import parse_yaml, read_yaml, write_yaml
from gait.errors import ConfigError, DataError, GaitError
from gait.limits import JSON_BYTES, LIST_ITEMS, YAML_BYTES

REPOSITORY = Path(__file__).parents[2]
SOURCE = Path("some.yaml")


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


def merged_laughs(levels: int) -> str:
    lines = ["a0: &a0 {k: 1}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}")
    return "\n".join(lines)


REFUSED = {
    "aliases": (laughs(9), r"some\.yaml:\d+: the file stands for more than 1,048,576 values"),
    "merges": (merged_laughs(9), r"stands for more than"),
    "recursion": ("a: &a [*a]", r"some\.yaml:1: .*holds itself"),
    "wide recursion": (f"a: &a [{', '.join(['*a'] * 50)}]", "holds itself"),
    "recursive merge": ("a: &a\n  <<: [*a, *a]\n", "holds itself"),
    "chain of aliases": (
        "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200)),
        "more than 64 levels deep",
    ),
    "deep": ("a: " + "[" * 5000, "more than 64 levels deep"),
    "deep mappings": ("".join(" " * i + "a:\n" for i in range(200)), "more than 64 levels deep"),
    "long paths": (
        "".join(f"{' ' * level}{'k' * 900}:\n" for level in range(30))
        + "".join(f"{' ' * 30}k{number}: 1\n" for number in range(5000)),
        r"67,108,864 characters",
    ),
    "long key": (f"? {'k' * 2000}\n: 1\n", "expected a key of at most 1000 characters, got 2,000"),
    "date": ("a: 2024-01-02", r"^some\.yaml:1: a: 2024-01-02 is read as a date; put it in quotes"),
    "time": ("\n\na: [2024-01-02 10:00:00]", r"^some\.yaml:3: a\.0: .* read as a date"),
    "explicit date": ("a: !!timestamp 2024-01-02", "read as a date"),
    "object": ("a: !!python/object/apply:os.system [ls]", "tag !!python/object/apply:os.system"),
    "name": ("a: !!python/name:os.system ''", "the tag !!python/name:os.system is unknown"),
    "binary": ("a: !!binary aGk=", "the tag !!binary"),
    "set": ("a: !!set {b, c}", "the tag !!set"),
    "pairs": ("a: !!pairs [b: c]", "the tag !!pairs"),
    "own tag": ("a: !mine 1", "the tag !mine"),
    "wrong tag": ("a: !!int abc", "the tag !!int"),
    "no float": ("a: !!float ''", "the tag !!float"),
    "octal": (
        "\na: 010",
        r"^some\.yaml:2: a: 010 is read as the number 8; put it in quotes: '010'",
    ),
    "octal in a list": ("a: ['001', 010]", r"a\.1: 010 is read as the number 8"),
    "negative octal": ("a: -010", "-010 is read as the number -8"),
    "base 60": ("a: 1:30", "1:30 is read as the number 90"),
    "base 60 with a fraction": ("a: 1:30.5", "1:30.5 is read as the number 90.5"),
    "numeric key": ("a: {010: b}", r"^some\.yaml:1: a: the key 010 is read as a number; .*'010'"),
    "boolean key": ("on: b", r"the key on is read as a boolean; put it in quotes: 'on'"),
    "null key": ("~: b", "the key ~ is read as a null"),
    "list as a key": ("? [a, b]\n: c", "a key that is text, got a list or a mapping"),
    "mapping as a key": ("{a: b}: c", "a key that is text, got a list or a mapping"),
    "date as a key": ("2024-01-02: c", "the key 2024-01-02 is read as a date"),
    "same key": ("a: 1\nb: 2\na: 3", r"some\.yaml:3: a is given twice"),
    "same key escaped": ('a: 1\n"\\x61": 3', r"some\.yaml:2: a is given twice"),
    "merge of a number": ("a:\n  <<: 5", "<< takes a mapping"),
    "not a number": ("a: .nan", r"a: expected a finite number, got \.nan"),
    "infinite": ("a: -.inf", "expected a finite number"),
    "infinite by size": ("a: 1e999", "expected a finite number, got 1e999"),
    "digits": (f"a: {'9' * 5000}", "number of usual size, got 5,000 digits"),
    "long number": (f"a: {'9' * 40}", "a whole number of at most 64 bits"),
    "escape": ('a: "\\e[31m"', r"a: holds the character '\\x1b'"),
    "null byte": ('a: "b\\0c"', r"holds the character '\\x00'"),
    "half a character": ('a: "\\ud800"', "found invalid Unicode character escape code"),
    "no character": ('a: "\\U00110000"', "not valid YAML"),
    "raw escape": ("a: \x1b[31m", "not valid YAML"),
    "carriage return": ('a: "b\\rc"', r"holds the character '\\r'"),
    "version": (f"%YAML 1.{'1' * 5000}\n--- a", "not valid YAML"),
    "two documents": ("a: 1\n---\nb: 2", "not valid YAML"),
    "value tag": ("a: =", "put it in quotes"),
    "unknown alias": ("a: *b", "not valid YAML"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_configuration_may_hold_is_refused_by_one_sentence(
    text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        parse_yaml(text, SOURCE)
    assert "\n" not in str(raised.value) and "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_what_a_configuration_may_hold_is_read() -> None:
    text = (
        "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\n"
        "made: {<<: [*base, *other], a: 5}\n"
        "list: &list [089, 0x10, 1_000, +3, 0, 0.5, yes, ~, 'on', 1e3]\nagain: *list\n"
        "text: !!str 010\nlong: |\n  one\n  two\n"
    )
    data, origins = parse_yaml(text, SOURCE)
    assert data["made"] == {"a": 5, "b": 2, "c": 4}
    assert data["list"] == ["089", 16, 1000, 3, 0, 0.5, True, None, "on", 1000.0]
    assert data["again"] == data["list"] and data["again"] is not data["list"]
    assert data["text"] == "010" and data["long"] == "one\ntwo\n"
    assert origins["made.a"].line == 3 and origins["made.c"].line == 2


def test_a_byte_order_mark_is_none_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: b\n")
    assert read_yaml(path)[0] == {"name": "b"}
    path.write_bytes("name: b\n".encode("utf-16"))
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_yaml(path)


def test_a_file_is_read_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(YAML_BYTES.variable, "100")
    path = tmp_path / "a.yaml"
    path.write_text("# " + "x" * 98)
    assert read_yaml(path)[0] == {}
    path.write_text("# " + "x" * 99)
    with pytest.raises(ConfigError, match=f"at most 100 bytes.* set {YAML_BYTES.variable}"):
        read_yaml(path)
    with pytest.raises(ConfigError, match="it is no file"):
        read_yaml(Path("/dev/zero"))


def test_what_is_written_is_read_as_it_was() -> None:
    texts = ["1e5", "010", "1:30", "2024-01-02", "on", "~", "1.10", ".nan", "0x1F", "=", "<<"]
    data = {"texts": texts, "number": 1e-5, "again": texts}
    assert parse_yaml(write_yaml(data), SOURCE)[0] == data


@pytest.mark.parametrize(
    ("written", "shown"),
    [("1.10", "1.10"), ("no", "no"), ("0x1F", "0x1F"), ("7", "7"), ("~", "~")],
)
def test_a_name_that_is_read_as_something_else_is_shown_as_it_stands(
    tmp_path: Path, written: str, shown: str
) -> None:
    folder = tmp_path / "datasets/Mine"
    folder.mkdir(parents=True)
    (folder / "dataset.yaml").write_text(
        "title: t\nlicence: l\nobtain: o\nlayouts: []\nprotocols: {}\n"
        f"partition:\n  train: [a]\n  test:\n  - b\n  - {written}\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_dataset(tmp_path, "Mine")
    assert str(raised.value) == (
        f"{folder}/dataset.yaml:{10 if written != '7' else 8}: partition.test.1: expected text, "
        f"got {shown}, which is read as none; put it in quotes: '{shown}'"
    )


def test_datasets_to_train_on_are_names() -> None:
    for given in (["CASIA-B", ["OUMVLP"]], [{"CASIA-B": 1.0}], [7]):
        with pytest.raises(ConfigError, match="train_on: expected names of datasets"):
            validated(Experiment, {"train_on": given}, "x.yaml")


def test_a_boolean_is_no_number() -> None:
    class Inner(BaseModel):
        count: int
        rates: list[float] = []
        flag: bool = False

    class Outer(BaseModel):
        inner: Inner
        named: dict[str, Inner] = {}

    data: dict[str, Any] = {
        "inner": {"count": True, "rates": [1, False], "flag": True},
        "named": {"a": {"count": False}},
    }
    found = list(mistaken_booleans(data, Outer.model_validate(data)))
    assert found == ["inner.count", "inner.rates.1", "named.a.count"]
    walkers = {"subjects": True, "views_deg": [0], "sequences": {"nm": 1}}
    with pytest.raises(ConfigError, match="subjects: expected a number, got a boolean"):
        validated(Population, walkers, "--population")


def test_a_range_is_measured_before_it_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for hostile in (["001-99999999"], ["0-9" + "9" * 150], [f"{i}a0-{i}a600000" for i in "ab"]):
        with pytest.raises(DataError, match=LIST_ITEMS.variable):
            named_subjects(hostile)
    with pytest.raises(ConfigError, match="a range of at most 200 characters"):
        named_subjects(["0-" + "9" * 5000])
    monkeypatch.setenv(LIST_ITEMS.variable, "3")
    assert len(named_subjects(["1-3"])) == 3


def partition_of(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "cut.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


SETS = '"TRAIN_SET": ["1"], "TEST_SET": ["2"]'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{{{SETS}, "TRAIN_SET": []}}', "'TRAIN_SET' is given twice"),
        (f'{{{SETS}, "OTHER\\u005fSET": []}}', r"cut\.json: OTHER_SET is unknown"),
        ('{"TRAIN_SET": ["\\u001b"], "TEST_SET": []}', r"holds the character '\\x1b'"),
        ('{"TRAIN_SET": ["\\ud800"], "TEST_SET": []}', r"holds the character '\\ud800'"),
        (f'{{{SETS}, "n": {"9" * 5000}}}', "n is unknown"),
        (f'{{"TRAIN_SET": [{"9" * 5000}], "TEST_SET": []}}', "expected a list of names"),
        ('{"TRAIN_SET": 1, "TEST_SET": []}', "expected a list of names"),
        ('{"TRAIN_SET": [1], "TEST_SET": []}', "expected a list of names"),
        ("[" * 200_000, "nested too deep"),
        ('{"a":' * 200_000, "nested too deep"),
        ("[NaN]", "lists of subjects under TRAIN_SET and TEST_SET"),
        (b"\xff\xfe[\x00", "is not UTF-8"),
        ("", "is not valid JSON"),
    ],
)
def test_a_partition_that_is_none(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        read_partition(partition_of(tmp_path, text))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 1000


@pytest.mark.parametrize(
    "path", ["datasets/A/dataset.yaml", "datasets/A/partition-b.yaml", "config/models/M.yaml"]
)
def test_a_folder_in_place_of_a_file_is_told_of(tmp_path: Path, path: str) -> None:
    (tmp_path / "datasets/A").mkdir(parents=True)
    (tmp_path / "config").mkdir()
    for name in ("datasets/A/dataset.yaml", "config/defaults.yaml"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / path).unlink(missing_ok=True)
    (tmp_path / path).mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"yaml: cannot be read \(it is no file\)"):
        if path.startswith("datasets"):
            load_dataset(tmp_path, "A", "b")
        else:
            load_recipe(tmp_path, "M")


def test_a_partition_as_other_programs_write_it(tmp_path: Path) -> None:
    text = '{"TRAIN\\u005fSET": ["\\u0031"], "TEST_SET": ["2"], "PROBE_SET": ["2-a-b"]}'
    data, origins = read_partition(partition_of(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert data == {"train": ["1"], "test": ["2"], "sequences": {"probes": ["2/a/b"]}}
    assert str(origins["test"]).endswith("cut.json:1")
    assert str(origins["train"]).endswith("cut.json")


def test_a_partition_is_read_within_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JSON_BYTES.variable, "50")
    with pytest.raises(GaitError, match="at most 50 bytes"):
        read_partition(partition_of(tmp_path, json.dumps({"TRAIN_SET": ["x" * 50]})))


def settings_with(given: dict[str, Any]) -> dict[str, Any]:
    settings = read_yaml(REPOSITORY / "config/config.yaml")[0]
    check_settings(settings, REPOSITORY / "workflow/schemas/config.schema.yaml", given=given)
    return settings


def test_text_of_the_command_line_gets_the_type_that_is_wanted() -> None:
    settings = settings_with(
        {
            "shards": "2",
            "data_root": "010",
            "resources": {"train": {"threads": "3"}},
            "matrix": {"experiments": ["A/B/1"], "seeds": ["0", "1"]},
            "segmenter": {
                "name": "onnx",
                "height_px": "512",
                "mean": ["0.5", "1e-3"],
                "a": "true",
            },
        }
    )
    assert settings["shards"] == 2 and settings["data_root"] == "010"
    assert settings["resources"]["train"]["threads"] == 3
    assert settings["resources"]["train"]["mem_mb"] == 16000
    assert settings["matrix"] == {"experiments": ["A/B/1"], "seeds": [0, 1]}
    segmenter = {"name": "onnx", "height_px": 512, "mean": [0.5, 0.001], "a": True}
    assert settings["segmenter"] == segmenter


@pytest.mark.parametrize("shards", ["two", "1.5", "010", "", "9" * 5000, "1e999", "true"])
def test_text_of_the_command_line_that_cannot_be_is_refused(shards: str) -> None:
    with pytest.raises(ConfigError, match=r"^config/config\.yaml: shards: '") as raised:
        settings_with({"shards": shards})
    assert len(str(raised.value)) < 300


def test_what_snakemake_misreads_in_its_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    schema = REPOSITORY / "workflow/schemas/config.schema.yaml"
    for text, message in (("shards: 010", "read as the number 8"), ("a: 1\na: 2", "given twice")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            check_settings({}, schema, [path])


@pytest.mark.parametrize("model", model_names(REPOSITORY))
def test_recipes_hold_nothing_of_the_kind(model: str) -> None:
    assert read_yaml(REPOSITORY / f"config/models/{model}.yaml")[0]


def test_experiments_are_read_as_before() -> None:
    resolved, _ = load_experiment(REPOSITORY, "SynthGait", "GaitSet", "demo")
    assert resolved.experiment.iterations > 0
