"""What models get: several modalities, joined or apart, put in range on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gait.config.experiment import Augmentation, Frames
from gait.config.protocol import Selection
from gait.data.dataset import JointTrainingSet, TestSet, TrainingSet
from gait.data.inputs import ModelInput, derived_sizes, model_inputs
from gait.data.samplers.bilateral_sampler import BilateralSampler
from gait.data.samplers.triplet_sampler import TripletSampler
from gait.data.sampling import middle
from gait.data.store import PackedStore
from gait.data.transforms.crop_sides import CropSides
from gait.data.transforms.random_rotate import RandomRotate
from gait.errors import ConfigError, DataError
from gait.modalities import MODALITIES
from tests.unit.packed import population, seal_packed, write_packed

SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "skeleton_maps": ("uint8", (2, 64, 64)),
    "parsing": ("uint8", (64, 64)),
    "pose": ("float64", (17, 3)),
    "rgb": ("uint8", (3, 32, 16)),
    "ratio": ("float32", ()),
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    packed = tmp_path_factory.mktemp("packed")
    write_packed(packed, population(subjects=4, sequences=4))
    frames = len(np.load(packed / "frames.npy", mmap_mode="r"))
    rng = np.random.default_rng(5)
    for name, (dtype, shape) in SHAPES.items():
        values = rng.uniform(0, 200, (frames, *shape)).astype(dtype)
        np.save(packed / f"{name}.npy", values)
    seal_packed(packed)
    return PackedStore(packed)


def test_a_store_tells_what_it_holds(store: PackedStore) -> None:
    assert store.modalities == sorted(["silhouettes", *SHAPES])
    np.testing.assert_array_equal(store.blank("pose"), np.zeros((2, 17, 3)))
    with pytest.raises(DataError, match=r"holds no depth, expected it for `inputs`"):
        store.read(0, slice(None), "depth")


def test_every_modality_is_read_at_the_same_frames(store: PackedStore) -> None:
    inputs = [ModelInput(name) for name in ("silhouettes", "ratio", "rgb", "pose")]
    training = TrainingSet(
        store, store.subjects, TripletSampler(2, 3), Frames(count=4), inputs, seed=1
    )
    batch = training[0]
    assert [tuple(each.shape) for each in batch.inputs] == [
        (6, 4, 64, 64),
        (6, 4),
        (6, 4, 3, 32, 16),
        (6, 4, 17, 3),
    ]
    index = {key: position for position, key in enumerate(store.keys)}
    for slot, key in enumerate(batch.keys):
        whole = store.read(index[key], slice(None))
        frames = [
            int(np.flatnonzero((whole == each.numpy()).all((1, 2)))[0])
            for each in batch.inputs[0][slot]
        ]
        for given, name in zip(batch.inputs[1:], ("ratio", "rgb", "pose"), strict=True):
            expected = store.read(index[key], np.array(frames), name)
            np.testing.assert_array_equal(
                given[slot].numpy(), expected.astype(given.numpy().dtype)
            )


def test_joined_maps_are_cut_to_the_narrower_and_moved_alike(store: PackedStore) -> None:
    joined = ModelInput("skeleton_maps+silhouettes", [CropSides(), RandomRotate(1.0)])
    maps = joined.read(store, 1, slice(3), np.random.default_rng(2))
    assert maps.shape == (3, 3, 64, 44) and maps.dtype == np.uint8
    alone = ModelInput("silhouettes", [CropSides(), RandomRotate(1.0)])
    np.testing.assert_array_equal(
        maps[:, 2], alone.read(store, 1, slice(3), np.random.default_rng(2))
    )
    with pytest.raises(ConfigError, match="give them as inputs of their own"):
        ModelInput("silhouettes+rgb").read(store, 0, slice(2), np.random.default_rng(0))


@pytest.mark.parametrize("sizes", [(64, 44), (44, 64), (64, 45), (44, 44)])
def test_joined_maps_keep_their_middle_columns(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    one = rng.integers(0, 256, (3, 2, 8, sizes[0]), np.uint8)
    other = rng.integers(0, 256, (3, 8, sizes[1]), np.uint8)
    maps = ModelInput("skeleton_maps+silhouettes").made_of([one, other], rng)
    width = min(sizes)
    lefts = [(size - width) // 2 for size in sizes]
    assert maps.shape == (3, 3, 8, width)
    for column in range(width):
        np.testing.assert_array_equal(maps[:, :2, :, column], one[..., lefts[0] + column])
        np.testing.assert_array_equal(maps[:, 2, :, column], other[..., lefts[1] + column])


# By what 8-bit values are divided; classes of parsing maps by nothing. A new modality without an
# entry fails.
DIVISORS = {
    "silhouettes": 255,
    "masks": 255,
    "parsing": 1,
    "skeleton_maps": 255,
    "depth": 255,
    "flow": 255,
    "rgb": 255,
}


BYTES = [name for name, each in MODALITIES.items() if each.dtypes[0] == "uint8"]


@pytest.mark.parametrize("name", BYTES)
def test_bytes_are_put_in_range(name: str) -> None:
    channels = [size for size in MODALITIES[name].frame_shape if isinstance(size, int)]
    shape = (2, 3, *channels, 4, 5)
    values = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1))
    values = values.to(torch.uint8)
    expected = values.double() / DIVISORS[name]
    if name == "rgb":
        mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        expected = (expected - mean) / torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    found = ModelInput(name).on_device(values, CPU)
    torch.testing.assert_close(found, expected.float())


@pytest.mark.parametrize("name", sorted(MODALITIES.keys() - set(BYTES)))
def test_real_values_stay_as_they_are(name: str) -> None:
    values = 300 * torch.rand(2, 3, 4, dtype=torch.float64) - 150
    found = ModelInput(name).on_device(values, CPU)
    assert torch.equal(found, values.float())


def test_sizes_follow_from_the_frames(store: PackedStore) -> None:
    inputs = [ModelInput("silhouettes", [CropSides()]), ModelInput("pose"), ModelInput("ratio")]
    shapes = [each.frame(store)[1] for each in inputs]
    assert derived_sizes(inputs, shapes) == {"height_px": 64, "width_px": 44, "num_joints": 17}


def test_a_transform_belongs_to_the_input_it_names(store: PackedStore) -> None:
    listed = [Augmentation(name="CropSides", input="silhouettes", columns=2)]
    rgb, silhouettes = model_inputs(["rgb", "silhouettes"], listed)
    assert rgb.frame(store)[1] == (3, 32, 16)
    assert silhouettes.frame(store)[1] == (64, 60)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_two_views_stay_together_and_differ(store: PackedStore, world: int) -> None:
    def share(rank: int, of: int) -> Any:
        return TrainingSet(
            store,
            store.subjects,
            BilateralSampler(5),
            Frames(count=3),
            [ModelInput("silhouettes")],
            0,
            rank,
            of,
        )[7]

    shares = [share(rank, world) for rank in range(world)]
    keys = [key for each in shares for key in each.keys]
    assert keys == share(0, 1).keys and len(keys) == 10
    for each in shares:
        assert each.keys[::2] == each.keys[1::2]
        assert (each.inputs[0][::2] != each.inputs[0][1::2]).any()


def test_a_batch_comes_from_one_of_several_datasets(store: PackedStore, tmp_path: Path) -> None:
    write_packed(tmp_path, population(subjects=3, sequences=40))
    large = PackedStore(tmp_path)

    def member(source: PackedStore, rank: int = 0, of: int = 1) -> TrainingSet:
        inputs = [ModelInput("silhouettes")]
        sampler = TripletSampler(2, 2)
        return TrainingSet(source, source.subjects, sampler, Frames(count=2), inputs, 0, rank, of)

    weights = {"small": 1.0, "large": 1.0}
    joint = JointTrainingSet({"small": member(store), "large": member(large)}, weights, seed=0)
    assert joint.num_classes == 7
    chosen = [int(joint[iteration].labels.min()) >= 4 for iteration in range(300)]
    # 16 and 120 sequences: cube roots 2.52 and 4.93.
    assert np.mean(chosen) == pytest.approx(4.93 / 7.45, abs=0.08)
    for weight in (1.0, 8.0, 0.1):
        weighted = JointTrainingSet(
            {"small": member(store), "large": member(large)}, {"small": weight, "large": 1.0}, 0
        )
        roots = [(16 * weight) ** (1 / 3), 120 ** (1 / 3)]
        np.testing.assert_allclose(
            weighted._probabilities, [each / sum(roots) for each in roots], rtol=1e-12
        )
    halves = [
        JointTrainingSet(
            {"small": member(store, rank, 2), "large": member(large, rank, 2)}, weights, seed=0
        )
        for rank in range(2)
    ]
    for iteration in range(5):
        together = torch.cat([each[iteration].labels for each in halves])
        assert torch.equal(together, joint[iteration].labels)


def test_datasets_of_different_sizes_are_refused(store: PackedStore, tmp_path: Path) -> None:
    write_packed(tmp_path, population(2, 2), height_px=32, width_px=32)
    members = {
        name: TrainingSet(
            each, each.subjects, TripletSampler(2, 2), Frames(), [ModelInput("silhouettes")], 0
        )
        for name, each in (("one", store), ("other", PackedStore(tmp_path)))
    }
    with pytest.raises(ConfigError, match=r"train_on: frames of one .* need one size"):
        JointTrainingSet(members, {"one": 1, "other": 1}, seed=0)


def test_exactly_so_many_frames_from_the_middle(store: PackedStore) -> None:
    assert middle(9, 4).tolist() == [2, 3, 4, 5]
    assert middle(3, 5).tolist() == [0, 1, 2, 0, 1]
    test = TestSet(store, store.subjects, [ModelInput("pose")], None, 40, frames_exactly=8)
    assert {test[each].inputs[0].shape[1] for each in range(len(test))} == {8}
    assert sum(len(each) for each in test.indices) == len(store)


def test_sequences_are_labelled_by_category(store: PackedStore) -> None:
    inputs, sampler = [ModelInput("silhouettes")], TripletSampler(2, 2)
    categories = {
        "first": Selection(condition=["nm-01"]),
        "others": Selection(condition=["!nm-01"]),
    }
    training = TrainingSet(
        store, store.subjects, sampler, Frames(count=2), inputs, 0, categories=categories
    )
    batch = training[0]
    assert batch.categories is not None
    expected = [int(key.condition != "nm-01") for key in batch.keys]
    assert batch.categories.tolist() == expected
    del categories["others"]
    with pytest.raises(DataError, match="expected a sequence of one of the categories first"):
        TrainingSet(
            store, store.subjects, sampler, Frames(count=2), inputs, 0, categories=categories
        )
