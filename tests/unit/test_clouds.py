"""Point clouds of differing size on their way from the store to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gait.config.experiment import Frames
from gait.config.load import load_experiment, load_recipe
from gait.data import loader
from gait.data.dataset import TestSet, TrainingSet
from gait.data.inputs import ModelInput, derived_sizes
from gait.data.samplers.triplet_sampler import TripletSampler
from gait.data.store import PackedStore
from gait.data.transforms.normalise_points import NormalisePoints
from gait.data.transforms.random_sample_points import RandomSamplePoints
from gait.errors import ConfigError
from gait.ragged import Ragged
from gait.types import Batch, SequenceKey
from tests.unit.packed import add_clouds, population, seal_packed, write_packed

INPUTS = [ModelInput("points", [RandomSamplePoints(16), NormalisePoints()]), ModelInput("ratio")]
PLACES = [ModelInput("points", [RandomSamplePoints(50)])]
REPOSITORY = Path(__file__).parents[2]


def write_clouds(packed: Path, lengths: dict[SequenceKey, int]) -> PackedStore:
    """A store of clouds and ratios; a sequence's are those of its key, whatever others there are.

    The x of a point is the number of its frame, which is the ratio as well.
    """
    write_packed(packed, lengths, 1, 1)
    clouds, ratios = [], []
    for key, length in lengths.items():
        rng = np.random.default_rng(list(str(key).encode()))
        for number in range(length):
            cloud = rng.normal(size=(int(rng.integers(1, 40)), 3)).astype(np.float32)
            cloud[:, 0] = number
            clouds.append(cloud)
            ratios.append(number)
    add_clouds(packed, clouds)
    np.save(packed / "ratio.npy", np.array(ratios, np.float32))
    seal_packed(packed)
    return PackedStore(packed)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    return write_clouds(tmp_path_factory.mktemp("packed"), population(6, 4))


def sampled(frames: Ragged, count: int, seed: int = 0) -> Any:
    return RandomSamplePoints(count)(frames, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(10))
def test_points_are_drawn_from_their_own_cloud(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clouds = [rng.normal(size=(size, 3)).astype(np.float32) for size in rng.integers(1, 9, 12)]
    frames = Ragged.of(clouds)[rng.integers(12, size=7)]
    found = sampled(frames, 400, seed)
    assert found.shape == (7, 400, 3) and found.dtype == np.float32
    for cloud, points in zip(frames.split(), found, strict=True):
        # None is left out in so many draws.
        assert set(map(tuple, points.tolist())) == set(map(tuple, cloud.tolist()))
    np.testing.assert_array_equal(found, sampled(frames, 400, seed))
    np.testing.assert_array_equal(found, sampled(frames.gathered(), 400, seed))
    assert not np.array_equal(found, sampled(frames, 400, seed + 1))


def test_each_point_is_as_likely() -> None:
    sizes = [2, 3, 7]
    frames = Ragged.of([np.arange(size, dtype=np.float32)[:, None].repeat(3, 1) for size in sizes])
    for size, points in zip(sizes, sampled(frames, 40_000)[:, :, 0], strict=True):
        shares = np.bincount(points.astype(int), minlength=size) / 40_000
        np.testing.assert_allclose(shares, 1 / size, atol=0.01)


def training(store: PackedStore, rank: int = 0, world: int = 1) -> TrainingSet:
    sampler = TripletSampler(3, 2)
    frames = Frames(count=5)
    return TrainingSet(store, store.subjects, sampler, frames, INPUTS, 3, rank, world)


def same(one: Batch, other: Batch) -> bool:
    pairs = zip(one.inputs, other.inputs, strict=True)
    return one.keys == other.keys and all(bool((a == b).all()) for a, b in pairs)


def test_a_batch_has_as_many_points_of_each_frame(store: PackedStore) -> None:
    made = training(store)
    batch = made[0]
    assert [tuple(each.shape) for each in batch.inputs] == [(6, 5, 16, 4), (6, 5)]
    assert made.shapes == [(16, 4), ()]
    assert derived_sizes(INPUTS, made.shapes) == {}
    assert same(batch, made[0]) and not same(batch, made[1])


def test_points_and_other_modalities_are_of_one_frame(store: PackedStore) -> None:
    inputs = [*PLACES, ModelInput("ratio")]
    test = TestSet(store, store.subjects, inputs, None, 20, frames_exactly=8)
    for batch in loader.test_loader(test):
        points, ratio = batch.inputs
        assert (points[..., 0] == ratio[..., None]).all()


@pytest.mark.parametrize("world", [2, 3])
def test_processes_and_workers_change_no_point(store: PackedStore, world: int) -> None:
    whole = training(store)[4]
    shares = [training(store, rank, world)[4] for rank in range(world)]
    for each, found in enumerate(whole.inputs):
        parts = np.concatenate([share.inputs[each] for share in shares])
        np.testing.assert_array_equal(found, parts)
    (read_ahead,) = loader.training_loader(training(store), 4, 5, workers=1)
    assert same(whole, read_ahead)


def embedded(store: PackedStore, budget: int, world: int = 1) -> dict[SequenceKey, bytes]:
    found: dict[SequenceKey, bytes] = {}
    for rank in range(world):
        test = TestSet(store, store.subjects, INPUTS, None, budget, rank, world)
        for batch in loader.test_loader(test):
            points = batch.inputs[0].numpy()
            found |= {key: each.tobytes() for key, each in zip(batch.keys, points, strict=True)}
    return found


def test_test_points_depend_on_the_sequence_only(store: PackedStore, tmp_path: Path) -> None:
    whole = embedded(store, 1000)
    assert len(set(whole.values())) == len(store)
    assert embedded(store, 12, world=2) == whole
    # Nor on which others are in the store.
    some = dict(list(population(6, 4).items())[5:])
    fewer = embedded(write_clouds(tmp_path, some), 30)
    assert fewer == {key: whole[key] for key in some}


def write(root: Path, text: str) -> None:
    (root / "config").mkdir()
    for name in ("defaults.yaml", "models"):
        (root / "config" / name).symlink_to(REPOSITORY / "config" / name)
    (root / "datasets").symlink_to(REPOSITORY / "datasets")
    path = root / "config/experiments/SUSTech1K/LidarGait++/mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "transforms: [{name: NormalisePoints}, {name: RandomSamplePoints, count: 9}]",
            r"mine.yaml:1: transforms: the frames of points differ .*1024}, got NormalisePoints$",
        ),
        ("transforms: []", r"mine.yaml:1: transforms: the frames of points .*got none$"),
        ("embedding: {transforms: []}", r"mine.yaml:1: embedding.transforms: the frames of poi"),
        (
            "{inputs: [ratio, points], transforms: [{name: RandomSamplePoints, count: 9}]}",
            r"mine.yaml:1: transforms: the frames of points differ .*got none",
        ),
        (
            "transforms: [&a {name: RandomSamplePoints, count: 9}, {name: NormalisePoints}, *a]",
            r"mine.yaml:1: transforms: RandomSamplePoints makes .* those of points are even there",
        ),
        (
            "{inputs: [pose], embedding: {transforms: []},"
            " transforms: [{name: RandomSamplePoints, count: 9}]}",
            r"mine.yaml:1: transforms: RandomSamplePoints makes .* those of pose are even there",
        ),
        ("inputs: [points+depth]", r"points\+depth: the frames of points differ in size, expecte"),
    ],
)
def test_clouds_that_are_not_made_even_are_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=complaint):
        load_experiment(tmp_path, "SUSTech1K", "LidarGait++", "mine")


def test_an_unknown_transform_is_not_blamed_twice(tmp_path: Path) -> None:
    write(tmp_path, "transforms: [{name: SamplePoints, count: 9}]")
    with pytest.raises(ConfigError, match="no transform is named 'SamplePoints'") as caught:
        load_experiment(tmp_path, "SUSTech1K", "LidarGait++", "mine")
    assert len(caught.value.problems) == 1


def test_the_published_recipes_sample_as_published() -> None:
    for dataset, count in (("SUSTech1K", 1024), ("FreeGait", 256)):
        resolved = load_experiment(REPOSITORY, dataset, "LidarGait++", "paper")[0].experiment
        for transforms in (resolved.transforms, resolved.embedding.transforms):
            assert transforms[0].settings == {"name": "RandomSamplePoints", "count": count}
    assert load_recipe(REPOSITORY, "LidarGait++").inputs == ["points"]
