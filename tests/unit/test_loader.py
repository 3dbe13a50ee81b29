"""Training and test sets, and the loaders over them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gait.config.experiment import Frames
from gait.data import loader
from gait.data.dataset import TestSet, TrainingSet
from gait.data.inputs import ModelInput
from gait.data.samplers.common_sampler import CommonSampler
from gait.data.samplers.triplet_sampler import TripletSampler
from gait.data.store import PackedStore
from gait.data.transforms import Silhouettes
from gait.data.transforms.crop_sides import CropSides
from gait.data.transforms.random_erasing import RandomErasing
from gait.data.transforms.random_horizontal_flip import RandomHorizontalFlip
from gait.data.transforms.random_rotate import RandomRotate
from gait.errors import ConfigError, DataError
from gait.types import Batch, SequenceKey
from tests.unit.packed import population, seal_packed, write_packed

WHOLE = [ModelInput("silhouettes")]
CUT = [ModelInput("silhouettes", [CropSides()])]
AUGMENT = [
    ModelInput(
        "silhouettes",
        [CropSides(), RandomHorizontalFlip(0.5), RandomRotate(0.5), RandomErasing(0.5)],
    )
]
FRAMES = [
    Frames(count=6),
    Frames(number="unfixed", order="ordered", count_range=(3, 8)),
    Frames(number="all", limit=9),
]
# Odd, so that no number of processes divides it.
SAMPLER = TripletSampler(subjects=3, sequences=5)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    packed = tmp_path_factory.mktemp("packed")
    write_packed(packed, population(subjects=6, sequences=4))
    return PackedStore(packed)


def training(store: PackedStore, frames: Frames = FRAMES[0], **settings: Any) -> TrainingSet:
    given: dict[str, Any] = {"sampler": SAMPLER, "inputs": AUGMENT, "seed": 3} | settings
    return TrainingSet(store, ["005", "002", "003", "001"], frames=frames, **given)


def same(one: Batch, other: Batch) -> bool:
    return (
        one.keys == other.keys
        and one.lengths == other.lengths
        and torch.equal(one.labels, other.labels)
        and torch.equal(one.inputs[0], other.inputs[0])
    )


def joined(shares: list[Batch]) -> Batch:
    axis = 0 if shares[0].lengths is None else 1
    lengths = [length for share in shares for length in share.lengths or []]
    return Batch(
        [torch.cat([share.inputs[0] for share in shares], axis)],
        torch.cat([share.labels for share in shares]),
        [key for share in shares for key in share.keys],
        lengths or None,
    )


def test_a_fixed_number_gives_a_rectangular_batch(store: PackedStore) -> None:
    made = training(store)
    batch = made[0]
    assert (made.num_classes, made.class_names) == (4, ["001", "002", "003", "005"])
    assert (made.global_size, made.slots) == (15, range(15))
    assert made.shapes == [(64, 44)]
    assert batch.inputs[0].shape == (15, 6, 64, 44)
    assert batch.inputs[0].dtype == torch.uint8
    assert batch.lengths is None
    assert batch.labels.dtype == torch.int64
    assert [made.class_names[label] for label in batch.labels] == [
        key.subject for key in batch.keys
    ]


def test_whole_sequences_are_packed_as_they_are(store: PackedStore) -> None:
    batch = training(store, Frames(number="all", limit=9), inputs=CUT)[4]
    assert batch.lengths is not None
    assert batch.inputs[0].shape == (1, sum(batch.lengths), 64, 44)
    index = {key: position for position, key in enumerate(store.keys)}
    parts = torch.split(batch.inputs[0][0], batch.lengths)
    for key, part in zip(batch.keys, parts, strict=True):
        expected = store.read(index[key], slice(9))[:, :, 10:54]
        np.testing.assert_array_equal(part.numpy(), expected)


def test_an_unfixed_number_is_packed(store: PackedStore) -> None:
    batch = training(store, FRAMES[1])[0]
    assert batch.lengths is not None
    assert set(batch.lengths) <= set(range(3, 9)) and len(set(batch.lengths)) > 1
    assert batch.inputs[0].shape == (1, sum(batch.lengths), 64, 44)


def test_damage_that_a_worker_finds_is_one_sentence(tmp_path: Path) -> None:
    write_packed(tmp_path, population(subjects=2, sequences=4))
    data = bytearray((tmp_path / "frames.npy").read_bytes())
    data[-1] ^= 1
    (tmp_path / "frames.npy").write_bytes(data)
    test = TestSet(PackedStore(tmp_path), ["001", "002"], CUT, None, 20)
    with pytest.raises(DataError) as caught:
        list(loader.test_loader(test, workers=1))
    assert str(caught.value).startswith(f"{tmp_path}/frames.npy: is damaged near byte ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("frames", FRAMES, ids=lambda each: each.number)
@pytest.mark.parametrize("world", [2, 3, 4, 15])
def test_the_shares_of_all_processes_are_the_global_batch(
    store: PackedStore, frames: Frames, world: int
) -> None:
    alone = training(store, frames)
    together = [training(store, frames, rank=rank, world=world) for rank in range(world)]
    sizes = [len(each.slots) for each in together]
    assert max(sizes) - min(sizes) <= 1
    for iteration in (0, 7):
        assert same(joined([each[iteration] for each in together]), alone[iteration])


@pytest.mark.parametrize("frames", FRAMES, ids=lambda each: each.number)
def test_an_item_depends_on_seed_and_iteration_only(store: PackedStore, frames: Frames) -> None:
    first = training(store, frames)
    in_order = [first[iteration] for iteration in range(6)]
    assert same(training(store, frames)[5], in_order[5])
    assert same(first[2], in_order[2])
    assert not same(first[2], in_order[3])
    assert not same(training(store, frames, seed=4)[2], in_order[2])


def test_frames_and_augmentation_differ_between_slots_of_one_sequence(tmp_path: Path) -> None:
    write_packed(tmp_path, {SequenceKey("001", "nm-01", "090"): 20})
    only = TrainingSet(PackedStore(tmp_path), ["001"], CommonSampler(4), FRAMES[0], CUT, seed=0)
    batch = only[0]
    assert len(set(batch.keys)) == 1
    assert len({part.numpy().tobytes() for part in batch.inputs[0]}) == 4


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(store: PackedStore, workers: int) -> None:
    made = training(store, FRAMES[1])
    expected = [made[iteration] for iteration in range(5, 12)]
    loaded = list(loader.training_loader(made, 5, 12, workers=workers))
    assert len(loaded) == 7
    assert all(same(*pair) for pair in zip(loaded, expected, strict=True))


def test_a_loader_without_workers_and_an_empty_one(store: PackedStore) -> None:
    made = training(store)
    assert [same(batch, made[3]) for batch in loader.training_loader(made, 3, 4)] == [True]
    assert list(loader.training_loader(made, 4, 4)) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_leaves_the_generator_of_torch_alone(store: PackedStore, workers: int) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    list(loader.training_loader(training(store), 0, 2, workers=workers))
    assert torch.equal(torch.get_rng_state(), state)


def test_workers_outlive_the_signals_that_ask_to_save(store: PackedStore) -> None:
    made = training(store)
    iterator: Any = iter(loader.training_loader(made, 0, 30, workers=2))
    # One from each worker, so that both have started.
    batches = [next(iterator), next(iterator)]
    workers = list(iterator._workers)
    for worker in workers:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(worker.pid, number)
    batches += list(iterator)
    assert len(batches) == 30
    assert same(batches[-1], made[29])
    iterator._shutdown_workers()
    assert not any(worker.is_alive() for worker in workers), "they end with their loader"


HANGING = """
import time
from gait.data import loader


class Hanging:
    def __getitem__(self, item):
        print("reading", flush=True)
        time.sleep(60)


if __name__ == "__main__":
    next(iter(loader._loader(Hanging(), range(1), workers=1, pin=False)))
"""


def test_a_worker_that_hangs_ends_with_its_process(tmp_path: Path) -> None:
    script = tmp_path / "hanging.py"
    script.write_text(HANGING, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"reading\n"
        process.kill()
        # The worker has its end of the pipe, too, and would keep it for a minute.
        process.communicate(timeout=20)


def test_too_few_subjects_for_the_sampler(store: PackedStore) -> None:
    with pytest.raises(ConfigError, match=r"sampler.subjects is 5, but .* 4 subjects"):
        training(store, sampler=TripletSampler(subjects=5, sequences=2))


def test_more_processes_than_sequences(store: PackedStore) -> None:
    with pytest.raises(ConfigError, match="draws 15 sequences for 16 processes"):
        training(store, rank=0, world=16)


@pytest.mark.parametrize(
    ("subjects", "sentence"),
    [([], "the training set has no subject.*`train`"), (["001", "100"], "of subject '100'")],
)
def test_training_subjects_that_are_not_there(
    store: PackedStore, subjects: list[str], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        TrainingSet(store, subjects, SAMPLER, FRAMES[0], AUGMENT, seed=0)


def test_a_test_set_without_subjects(store: PackedStore) -> None:
    with pytest.raises(DataError, match=r"the test set has no subject.*`test`"):
        TestSet(store, [], CUT, None, 50)


@pytest.mark.parametrize("world", [1, 2, 3, 4, 40])
@pytest.mark.parametrize(("limit", "budget"), [(None, 30), (9, 30), (None, 1), (720, 2000)])
def test_every_test_sequence_is_embedded_once(
    store: PackedStore, world: int, limit: int | None, budget: int
) -> None:
    subjects = ["001", "004", "006"]
    sets = [TestSet(store, subjects, CUT, limit, budget, rank, world) for rank in range(world)]
    index = {key: position for position, key in enumerate(store.keys)}
    seen: list[SequenceKey] = []
    for made in sets:
        batches = list(loader.test_loader(made))
        assert len(made) == len(batches) == len(made.indices)
        lengths = [batch.inputs[0].shape[1] for batch in batches]
        assert lengths == sorted(lengths, reverse=True)
        for batch, indices in zip(batches, made.indices, strict=True):
            n, s, h, w = batch.inputs[0].shape
            assert [(h, w)] == [(64, 44)] == made.shapes
            assert n * s <= budget or n == 1
            assert batch.lengths is None
            assert [index[key] for key in batch.keys] == indices.tolist()
            assert [made.class_names[each] for each in batch.labels] == [
                key.subject for key in batch.keys
            ]
            for position, pixels in zip(indices.tolist(), batch.inputs[0], strict=True):
                expected = store.read(position, slice(limit))[:, :, 10:54]
                np.testing.assert_array_equal(pixels.numpy(), expected)
        seen += [key for batch in batches for key in batch.keys]
    assert sorted(seen) == sorted(key for key in store.keys if key.subject in subjects)


def test_test_batches_do_not_depend_on_the_number_of_processes(store: PackedStore) -> None:
    def batches(world: int) -> list[list[int]]:
        sets = [
            TestSet(store, store.subjects, WHOLE, None, 40, rank, world) for rank in range(world)
        ]
        return sorted(indices.tolist() for made in sets for indices in made.indices)

    assert batches(1) == batches(2) == batches(5)


def test_test_batches_fill_the_budget_and_are_dealt_evenly(tmp_path: Path) -> None:
    lengths = {SequenceKey(f"{each:03d}", "nm-01", "000"): 5 + each // 40 for each in range(200)}
    write_packed(tmp_path, lengths, height_px=4, width_px=4)
    store = PackedStore(tmp_path)
    alone = TestSet(store, store.subjects, WHOLE, None, 60)
    # 40 sequences of each length of 5 to 9 frames, by at most 12, 10, 8, 7, 6 in a batch.
    assert [len(each) for each in alone.indices] == [6] * 6 + [4] + [7] * 5 + [5] + [8] * 5 + [
        10
    ] * 4 + [12] * 3 + [4]
    loads = []
    for rank in range(3):
        share = TestSet(store, store.subjects, WHOLE, None, 60, rank, 3)
        loads.append(sum(int(store.lengths[each].sum()) for each in share.indices))
    assert sum(loads) == sum(lengths.values())
    assert max(loads) - min(loads) <= 60


def test_random_test_transforms_depend_on_the_sequence_only(store: PackedStore) -> None:
    inputs = [ModelInput("silhouettes", [CropSides(), RandomRotate(1.0)])]

    def embedded(budget: int, world: int) -> dict[SequenceKey, bytes]:
        found: dict[SequenceKey, bytes] = {}
        for rank in range(world):
            made = TestSet(store, store.subjects, inputs, None, budget, rank, world)
            for batch in loader.test_loader(made):
                found |= {
                    key: each.numpy().tobytes()
                    for key, each in zip(batch.keys, batch.inputs[0], strict=True)
                }
        return found

    assert embedded(1000, 1) == embedded(20, 2)


def test_a_test_loader_can_be_gone_through_again(store: PackedStore) -> None:
    made = loader.test_loader(TestSet(store, ["001"], CUT, None, 20), workers=1)
    assert all(same(*pair) for pair in zip(list(made), list(made), strict=True))


def test_a_transform_of_another_type_is_refused(store: PackedStore) -> None:
    def divided(frames: Silhouettes, rng: np.random.Generator) -> Any:
        return frames / 255

    with pytest.raises(DataError, match="float64"):
        training(store, inputs=[ModelInput("silhouettes", [divided])])


def test_equal_sequences_of_different_names_have_test_transforms_of_their_own(
    tmp_path: Path,
) -> None:
    keys = [SequenceKey(subject, "nm-01", "000") for subject in ("001", "002", "003")]
    write_packed(tmp_path, dict.fromkeys(keys, 4))
    one = np.load(tmp_path / "frames.npy")[:4]
    np.save(tmp_path / "frames.npy", np.concatenate([one] * 3))
    seal_packed(tmp_path)
    store, inputs = PackedStore(tmp_path), [ModelInput("silhouettes", [RandomRotate(1.0)])]

    def embedded(*subjects: str) -> dict[SequenceKey, bytes]:
        batches = loader.test_loader(TestSet(store, subjects, inputs, None, 100))
        return {
            key: each.numpy().tobytes()
            for batch in batches
            for key, each in zip(batch.keys, batch.inputs[0], strict=True)
        }

    found = embedded("001", "002", "003")
    assert len(set(found.values())) == 3
    # Whoever else is embedded.
    assert embedded("003") == {keys[2]: found[keys[2]]}
