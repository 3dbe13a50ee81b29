"""Every dataset that the repository defines can be used, and is cut as its authors cut it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from gait.config.dataset import NAME, Dataset, Partition, named_subjects
from gait.config.load import dataset_names, load_dataset
from gait.config.protocol import category_of
from gait.config.yaml import read_yaml, write_yaml
from gait.errors import DataError
from gait.prepare.catalogue.raw_form import RawForm
from gait.prepare.catalogue.scan import scan
from gait.types import SequenceKey

REPOSITORY = Path(__file__).parents[2]
NAMES = dataset_names(REPOSITORY)

# Subjects that train and that test, as the authors or the published framework have them; the
# probes of GREW and HID, whose subjects are secret, count as one. Where it is not known who there
# is, all are tested.
SIZES: dict[str, tuple[int, int | None]] = {
    "CASIA-B": (74, 50),
    "CASIA-B-128": (74, 50),
    "CASIA-B-Pose": (74, 50),
    "CASIA-B-star": (74, 50),
    "CASIA-E": (200, 814),
    "CCGR": (571, 400),
    "CCGR-MINI": (571, 400),
    "CCPG": (100, 100),
    "D-Gait": (194, 98),
    "FreeGait": (500, 695),
    "GREW": (20000, 6001),
    "Gait3D": (3000, 1000),
    "Gait3D-Parsing": (3000, 1000),
    "GaitLU-1M": (100, 0),
    "HID2022": (500, 506),
    "HID2023": (0, 860),
    "HID2024": (0, None),
    "HID2025": (0, None),
    "OUMVLP": (5153, 5154),
    "OUMVLP-Pose": (5153, 5154),
    "OUMVLP-Pose17": (5153, 5154),
    "RAGAR": (250, 283),
    "SUSTech1K": (250, 800),
    "SUSTech1K-sync": (250, 800),
    "Scoliosis1K": (745, 748),
    "SynthGait": (20, 12),
}
OTHER_PARTITIONS = {
    "Scoliosis1K/partition-114.yaml": (745, 748),
    "Scoliosis1K/partition-118.yaml": (744, 749),
    "Scoliosis1K/partition-1116.yaml": (745, 748),
}
UNSCORED = {"CCGR", "GaitLU-1M", "RAGAR"}


@cache
def dataset(name: str) -> Dataset:
    return load_dataset(REPOSITORY, name)[0]


def test_every_dataset_is_known_here() -> None:
    assert set(SIZES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_partitions_have_the_known_sizes(name: str) -> None:
    partition = dataset(name).partition
    train, test = named_subjects(partition.train), named_subjects(partition.test)
    if SIZES[name][1] is None:
        assert (len(train), test) == (SIZES[name][0], {"*"})
        return
    assert (len(train), len(test)) == SIZES[name]
    assert not train & test
    assert all(re.fullmatch(NAME, each) for each in train | test)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_dataset_should_hold_fits_its_partition_and_protocols(name: str) -> None:
    whole = dataset(name).whole
    train, test = SIZES[name]
    assert whole.subjects == (None if test is None else train + test)
    per_subject = [number for number in whole.conditions.values() if number is not None]
    if whole.sequences is not None and whole.subjects is not None:
        assert whole.sequences == whole.subjects * sum(per_subject)
    for protocol in dataset(name).protocols.values():
        probes = getattr(protocol, "probes", {})
        rows = probes.values() if isinstance(probes, dict) else [probes]
        for each in filter(None, [getattr(protocol, "gallery", None), *rows]):
            for condition in each.condition or []:
                is_name = not set(condition) & set("*?[!")
                known = any(fnmatchcase(condition, pattern) for pattern in whole.conditions)
                assert known or not is_name or not whole.conditions, condition


@pytest.mark.parametrize("path", OTHER_PARTITIONS)
def test_other_partitions_have_the_known_sizes(path: str) -> None:
    partition = Partition.model_validate(read_yaml(REPOSITORY / "datasets" / path)[0])
    sizes = len(named_subjects(partition.train)), len(named_subjects(partition.test))
    assert sizes == OTHER_PARTITIONS[path]


def test_partitions_by_rule() -> None:
    oumvlp = dataset("OUMVLP").partition
    train, test = named_subjects(oumvlp.train), named_subjects(oumvlp.test)
    assert {"00001", "10305"} <= train and {"00002", "10306", "10307"} <= test
    ccgr = dataset("CCGR").partition
    assert {"1", "134", "164", "600"} <= named_subjects(
        ccgr.train
    ) and "135" not in named_subjects(ccgr.train)
    assert {"201", "999", "1014"} <= named_subjects(dataset("CASIA-E").partition.test)
    grew = dataset("GREW").partition
    assert {"00001train", "20000train"} <= named_subjects(grew.train)
    assert {"00001", "06000", "probe"} <= named_subjects(grew.test)


def test_datasets_of_the_same_subjects_are_cut_alike() -> None:
    for one, other in (
        ("CASIA-B", "CASIA-B-Pose"),
        ("CASIA-B", "CASIA-B-star"),
        ("OUMVLP", "OUMVLP-Pose"),
        ("OUMVLP", "OUMVLP-Pose17"),
        ("Gait3D", "Gait3D-Parsing"),
        ("SUSTech1K", "SUSTech1K-sync"),
    ):
        assert dataset(one).partition == dataset(other).partition
        scored = {name: dataset(other).protocols[name] for name in dataset(one).protocols}
        assert dataset(one).protocols == scored
    assert dataset("CCGR").partition.train == dataset("CCGR-MINI").partition.train


def test_listed_sequences_are_test_sequences_of_as_many_subjects_as_known() -> None:
    for name, which, number, people in (
        ("Gait3D", "probes", 1000, 1000),
        ("FreeGait", "probes", 3571, 641),
        ("CCGR-MINI", "gallery", 795, 399),
    ):
        definition = dataset(name)
        (protocol,) = definition.protocols.values()
        chosen = protocol.gallery if which == "gallery" else protocol.probes["all"]
        assert chosen is not None and chosen.sequences is not None
        assert len(chosen.sequences) == len(set(chosen.sequences)) == number
        known = {key.split("/")[0] for key in chosen.sequences}
        assert len(known) == people
        assert known <= named_subjects(definition.partition.test)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_scored_unless_known_better(name: str) -> None:
    assert bool(dataset(name).protocols) == (name not in UNSCORED)


@pytest.mark.parametrize("name", NAMES)
def test_it_survives_the_way_through_a_file(name: str, tmp_path: Path) -> None:
    definition = dataset(name)
    path = tmp_path / "dataset.yaml"
    path.write_text(write_yaml(definition.model_dump(mode="json")), encoding="utf-8")
    again = Dataset.model_validate(read_yaml(path)[0])
    assert again == definition


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is_and_how_to_obtain_it(name: str, tmp_path: Path) -> None:
    readme = (REPOSITORY / "datasets" / name / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {name}") or readme.startswith("# CASIA-B*\n")
    definition = dataset(name)
    assert not definition.title.endswith(".") and definition.licence.endswith(".")
    with pytest.raises(DataError) as raised:
        scan(tmp_path / name / "raw", RawForm(definition.layouts, definition.obtain))
    text = str(raised.value)
    assert "\n" not in text and " ".join(definition.obtain.split()).rstrip(".") in text
    if not definition.layouts:
        assert f"{tmp_path / name / 'pkl'}/<subject>/<condition>/<view>/*.pkl" in text
        assert f"data/{name}/pkl/" in readme


def test_the_classes_of_scoliosis() -> None:
    categories = dataset("Scoliosis1K").categories
    assert categories is not None
    assert list(categories) == ["negative", "neutral", "positive"]
    for condition, expected in (("Positive", 2), ("neutral", 1), ("negative", 0)):
        assert category_of(categories, SequenceKey("00000", condition, "000_180")) == expected
    with pytest.raises(DataError, match=r"00000/healthy/000.*negative, neutral, positive"):
        category_of(categories, SequenceKey("00000", "healthy", "000"))


def test_the_classes_of_d_gait_are_those_of_subjects() -> None:
    definition = dataset("D-Gait")
    for named, sizes in (
        (definition.partition.train, {"D": 66, "N": 128}),
        (definition.partition.test, {"D": 26, "N": 72}),
    ):
        assert Counter(each[0] for each in named_subjects(named)) == sizes
    # One of each set, as published.
    assert {"D_000", "N_002"} <= named_subjects(definition.partition.train)
    assert {"D_002", "N_000"} <= named_subjects(definition.partition.test)
    assert definition.categories is not None
    assert list(definition.categories) == ["not_depressed", "depressed"]
    for subject, condition, place in (
        ("N_000", "D", 0),
        ("N_199", "D_000", 0),
        ("D_091", "N", 1),
        ("D_000", "normal", 1),
    ):
        assert category_of(definition.categories, SequenceKey(subject, condition, "0")) == place


def test_a_label_of_ragar_is_told_as_its_readme_has_it(tmp_path: Path) -> None:
    readme = (REPOSITORY / "datasets/RAGAR/README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```yaml\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    folder = tmp_path / "datasets/RAGAR"
    shutil.copytree(REPOSITORY / "datasets/RAGAR", folder)
    path = folder / "dataset.yaml"
    definition = path.read_text(encoding="utf-8").replace("protocols: {}\n", example)
    path.write_text(definition, encoding="utf-8")
    categories = load_dataset(tmp_path, "RAGAR")[0].categories
    assert categories is not None
    for condition, place in (("12_1_0_3", 1), ("3_0_1_1", 0), ("111_0_1", 0), ("1_1_0", 1)):
        assert category_of(categories, SequenceKey("001", condition, "0")) == place
    with pytest.raises(DataError, match=r"001/5_2_0/0: expected .* got none of them"):
        category_of(categories, SequenceKey("001", "5_2_0", "0"))
