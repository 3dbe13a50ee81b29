"""Embeds test sequences: exact batches, any number of processes, flat memory."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gait.config.dataset import absence, matching_subjects
from gait.config.experiment import Embedding, Precision
from gait.config.resolved import Resolved
from gait.data.dataset import TestSet
from gait.data.inputs import derived_sizes, model_inputs
from gait.data.loader import test_loader
from gait.data.store import PackedStore
from gait.engine.precision import autocast, paying, replaced
from gait.engine.runtime.deterministic import deterministic
from gait.engine.runtime.distributed import World, session
from gait.engine.runtime.host import AsyncHostCopy
from gait.engine.runtime.waiting import in_time
from gait.engine.state.weights import check_same_model, load_strictly, read_model
from gait.engine.step import build_model, on_device
from gait.errors import CheckpointError
from gait.files import atomic_path
from gait.formats.seal import seal_zip
from gait.progress import Progress

_ROWS_AT_ONCE = 4096


def embed(
    resolved: Resolved, packed: Path, model: Path, embeddings: Path, *, workers: int = 0
) -> None:
    """Embed the test subjects' sequences and write `embeddings.npz`, sorted by key.

    To be called in each process that torchrun starts, or in a single one. The file does not
    depend on the number of processes.

    Args:
        packed: the dataset's packed store.
        model: the weights, `model.pt`.
        workers: processes that load data, beside each process that computes.

    Raises:
        CheckpointError: the weights cannot be read or belong to another model or frame size.
        DataError: the store cannot be read, or has no test subject.
    """
    with session() as world, deterministic():
        weights = read_model(model)
        check_same_model(weights, resolved, model)
        store = PackedStore(packed)
        test = test_set(resolved, store, world)
        if missed := absence(store.subjects, resolved.dataset.partition.test, "test"):
            world.say(missed)
        sizes = derived_sizes(test.inputs, test.shapes)
        # Imported weights do not tell all of the sizes that they were trained on.
        differing = [name for name in sizes if weights.sizes.get(name, sizes[name]) != sizes[name]]
        if differing:
            found = " and ".join(
                f"{name} {weights.sizes[name]} (the test frames have {sizes[name]})"
                for name in differing
            )
            raise CheckpointError(
                f"{model}: was trained on frames of {found}; make embedding.transforms cut as "
                "`transforms` does"
            )
        network = build_model(resolved.experiment, {**sizes, **weights.sizes})
        load_strictly(network, weights.model, model)
        settings = resolved.experiment.embedding
        network.to(world.device)
        for sentence in replaced(settings.precision, world.device):
            world.say(f"embedding.{sentence}")
        write_embeddings(network, test, store, embeddings, world, settings, workers)
        world.say(f"{embeddings}: embedded the sequences of {len(test.class_names)} subjects")


def test_set(resolved: Resolved, store: PackedStore, world: World) -> TestSet:
    """This process's share of the experiment's test sequences."""
    settings = resolved.experiment.embedding
    return TestSet(
        store,
        matching_subjects(store.subjects, resolved.dataset.partition.test),
        model_inputs(resolved.experiment.inputs, settings.transforms),
        settings.frames_limit,
        settings.frames_per_batch,
        world.rank,
        world.size,
        settings.frames_exactly,
    )


# Keeps pytest from taking the function for a test.
test_set.__test__ = False  # type: ignore[attr-defined]


def write_embeddings(
    model: nn.Module,
    test: TestSet,
    store: PackedStore,
    path: Path,
    world: World,
    settings: Embedding,
    workers: int,
) -> None:
    """Embed the share of each process and put them together, in the order of the store.

    Memory stays flat: rows wait in a file of each process beside `path`, and are copied from
    there in blocks.

    Args:
        model: on its device; left in evaluation mode.
        path: written by the first process, whole or not at all.
    """
    own = np.concatenate([*test.indices, np.empty(0, np.int64)])
    counts = world.counts(len(own))
    everyone = world.gather_rows(torch.from_numpy(own), counts).numpy()
    parts = [path.with_name(f".{path.name}.{rank}.rows.npy") for rank in range(world.size)]
    with ExitStack() as cleaning:
        for part in parts if world.is_first else [parts[world.rank]]:
            cleaning.callback(part.unlink, missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        _embed_share(model, test, parts[world.rank], len(own), world, settings.precision, workers)
        world.barrier()
        if world.is_first:
            _merge(parts, everyone, counts, store, settings, path)
        world.barrier()


def _embed_share(
    model: nn.Module,
    test: TestSet,
    part: Path,
    rows: int,
    world: World,
    precision: Precision,
    workers: int,
) -> None:
    """Write the embeddings of this process's batches [rows, c, p] to `part`, in their order."""
    model.eval()
    computed_in = paying(precision, world.device)
    arriving: AsyncHostCopy | None = None
    # Written, not mapped: on a full disk a page of a mapped file that finds no room kills the
    # process.
    with atomic_path(part) as temporary, temporary.open("wb") as file, torch.inference_mode():

        def store_rows(copy: AsyncHostCopy) -> None:
            values = copy.wait().numpy()
            if not file.tell():
                shape = (rows, *values.shape[1:])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(values).data)

        title = "embedding" if world.size == 1 else "embedding, share of the first process"
        progress = Progress(title, sum(test.frames), "frames")
        loader = test_loader(test, workers, pin=world.device.type == "cuda")
        for batch, frames in zip(in_time(loader), test.frames, strict=True):
            with autocast(computed_in, world.device):
                output = model(on_device(batch, test.inputs, world.device), batch.lengths)
            following = AsyncHostCopy(output.embeddings.float())
            if arriving is not None:
                store_rows(arriving)
            arriving = following
            if world.is_first:
                progress.advance(frames)
        if arriving is not None:
            store_rows(arriving)


def _merge(
    parts: list[Path],
    indices: npt.NDArray[np.int64],
    counts: list[int],
    store: PackedStore,
    settings: Embedding,
    path: Path,
) -> None:
    """Write the rows of all processes as one archive, in the order of the store."""
    order = np.argsort(indices)
    owner = np.repeat(np.arange(len(counts)), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    opened = {
        rank: np.load(part, mmap_mode="r") for rank, part in enumerate(parts) if counts[rank]
    }
    shape = (len(indices), *next(iter(opened.values())).shape[1:])

    def block(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        values = np.empty((len(rows), *shape[1:]), np.float32)
        for rank, own in opened.items():
            here = owner[rows] == rank
            values[here] = own[place[rows[here]]]
        return values

    sequences = indices[order]
    keys = [store.keys[index] for index in sequences.tolist()]
    texts = {name: np.array([getattr(key, name) for key in keys]) for name in keys[0]._fields}
    frames = store.lengths[sequences]
    if settings.frames_exactly is not None:
        frames = np.full_like(frames, settings.frames_exactly)
    elif settings.frames_limit is not None:
        frames = np.minimum(frames, settings.frames_limit)
    arrays: dict[str, npt.NDArray[np.generic]] = {**texts, "frames": frames.astype(np.int32)}
    with atomic_path(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            # Written as np.savez does, but never whole in memory.
            with archive.open("embeddings.npy", "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for start in range(0, len(order), _ROWS_AT_ONCE):
                    member.write(block(order[start : start + _ROWS_AT_ONCE]).tobytes())
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        seal_zip(temporary)
