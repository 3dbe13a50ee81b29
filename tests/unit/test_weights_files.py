"""Weights files from anywhere: read within bounds, without running anything, or refused."""

from __future__ import annotations

import argparse
import io
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gait.engine.state.checkpoint import Checkpoints, Fingerprint
from gait.engine.state.files import load_torch, save_torch
from gait.engine.state.weights import load_strictly, read_model, start, write_model
from gait.errors import CheckpointError
from gait.formats.pickles.weights import read_pickle
from gait.formats.seal import seal_zip
from gait.formats.weights.read import read_weights
from gait.layers.mask_branch import MaskBranch
from tests.engine_fixtures import resolved

OURS = Fingerprint("d" * 64, "a" * 64)


def _model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


def _same(given: dict[str, torch.Tensor], model: nn.Module) -> bool:
    own = model.state_dict()
    return list(given) == list(own) and all(torch.equal(given[name], own[name]) for name in own)


def _archive(pickle: bytes, storages: dict[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickle)
        for key, values in storages.items():
            archive.writestr(f"archive/data/{key}", values)
    return file.getvalue()


def _tensor_pickle(size: bytes, stride: bytes, numel: int = 4, function: str = "") -> bytes:
    """A pickle of {'a': tensor} with the given opcodes as shape and strides."""
    function = function or "torch._utils\n_rebuild_tensor_v2"
    return (
        b"\x80\x02}X\x01\x00\x00\x00ac"
        + function.encode()
        + b"\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
        + b"X\x03\x00\x00\x00cpu"
        + b"J"
        + struct.pack("<i", numel)
        + b"tQK\x00"
        + size
        + stride
        + b"\x89NtRs."
    )


FOUR = _tensor_pickle(b"K\x04\x85", b"K\x01\x85")


# Whatever wraps weights.


@pytest.mark.parametrize(
    "options",
    [{}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}],
    ids=["archive", "protocol 4", "stream"],
)
def test_weights_are_read_whatever_stands_beside_and_around_them(
    options: dict[str, Any], tmp_path: Path
) -> None:
    model = _model()
    state = OrderedDict((f"module._orig_mod.{k}", v) for k, v in model.state_dict().items())
    beside = {
        "epoch": np.int64(3),
        "best": np.float32(97.5),
        "args": argparse.Namespace(lr=0.1),
        "curve": np.arange(3),
        "seen": {1, 2},
        "optimizer": torch.optim.Adam(model.parameters()).state_dict(),
    }
    torch.save({**beside, "state_dict": state}, tmp_path / "w.pt", **options)
    assert _same(read_weights(tmp_path / "w.pt"), model)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"model": {"net": state}}])
def test_bare_and_nested_weights_are_read(wrap: Any, tmp_path: Path) -> None:
    model = _model()
    torch.save(wrap(model.state_dict()), tmp_path / "w.pth")
    assert _same(read_weights(tmp_path / "w.pth"), model)


def test_a_file_of_safetensors_is_read_and_a_torn_one_refused(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    model, path = _model(), tmp_path / "w.safetensors"
    safetensors.save_file({f"module.{k}": v for k, v in model.state_dict().items()}, path)
    read = read_weights(path)
    assert all(torch.equal(read[name], value) for name, value in model.state_dict().items())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match=r"w\.safetensors: cannot be read as weights"):
        read_weights(path)
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(CheckpointError, match="cut short"):
        read_weights(path)
    path.write_bytes(struct.pack("<Q", 2**21) + bytes(2**22))
    with pytest.raises(CheckpointError, match="GAIT_MAX_WEIGHTS_INDEX_BYTES"):
        read_weights(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b'{"error": "rate limit"}', "is text"),
        (b"\x1f\x8b\x08" + bytes(50), "is a compressed archive"),
        (b"storages".ljust(257, b"\0") + b"ustar\0" + bytes(300), "is a tar archive"),
        (b"\x80\x02K\x01.", "none of torch.save"),
        (b"PK\x03\x04" + bytes(200), "cut short"),
        (_archive(b"\x80\x02N.", {}), "no tensors by name"),
        (_archive(FOUR, {}), "lacks the values"),
        (_archive(FOUR, {"0": bytes(12)}), "whose values are not there"),
        (_archive(FOUR, {"0": bytes(16)}, compression=zipfile.ZIP_DEFLATED), "is compressed"),
        (_archive(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.", {}), "posix.system"),
    ],
)
def test_what_is_no_weights_file_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert said in message and str(path) in message
    assert "remove" not in message, "it is not ours to remove"
    assert "\n" not in message and len(message) < 600


def test_an_object_instead_of_its_weights_is_told(tmp_path: Path) -> None:
    torch.save(_model(), tmp_path / "w.pt")
    with pytest.raises(
        CheckpointError, match=r"Sequential, which is not run; save its state_dict"
    ):
        read_weights(tmp_path / "w.pt")


# What a file claims.


@pytest.mark.parametrize(
    ("size", "stride", "said"),
    [
        (b"J\x00\x00\x00\x7f\x85", b"K\x00\x85", "with 4 values stored"),
        (b"K\x02K\x04\x86", b"K\x00K\x01\x86", "with 4 values stored"),
        (b"K\x04\x85", b"J\xff\xff\xff\x7f\x85", "with 4 values stored"),
        (b"K\x04\x85", b"J\xff\xff\xff\xff\x85", "no numbers from 0 on"),
        (b"G?\xf0\x00\x00\x00\x00\x00\x00\x85", b"K\x01\x85", "no numbers from 0 on"),
        (b"(" + b"K\x01" * 40 + b"t", b"(" + b"K\x01" * 40 + b"t", "40 axes"),
        (b"(" + (b"\x8a\xff" + b"\xff" * 254 + b"\x7f") * 30 + b"t", b"K\x01\x85", "30 axes"),
    ],
)
def test_a_tensor_that_claims_more_than_is_stored_is_refused(
    size: bytes, stride: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(_archive(_tensor_pickle(size, stride), {"0": bytes(16)}))
    with pytest.raises(CheckpointError, match=said):
        read_weights(path)


def test_sparse_and_quantised_tensors_are_refused_by_name(tmp_path: Path) -> None:
    eight_bit = torch.zeros(3).to_sparse()
    torch.save({"model": {"a": torch.zeros(3), "b": eight_bit}}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"its tensor b is of torch\._utils"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "pickle",
    [
        b"\x80\x02]" + b"\x94h\x00h\x00\x86" * 10_000 + b".",
        b"\x80\x02}" + b"2\x86q\x00h\x00h\x00\x86" * 1000 + b"K\x01s.",
        b"\x80\x02ccollections\nCounter\nq\x00}("
        + b"K\x01K\x01" * 9
        + b"uq\x01"
        + b"h\x00h\x01\x85R" * 9000
        + b".",
        b"\x80\x02}("
        + b"".join(
            b"\x8a\x0c" + (number * (2**61 - 1)).to_bytes(12, "little") + b"N"
            for number in range(60_000)
        )
        + b"u.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02Kr\xff\xff\xff\x7f.",
        b"\x80\x02" + b"(" * 50_000,
    ],
    ids=[
        "doubling",
        "deep keys",
        "copies",
        "keys of one hash",
        "integer",
        "bytes",
        "memo",
        "marks",
    ],
)
def test_games_of_pickles_end_soon(pickle: bytes) -> None:
    try:
        read_pickle(pickle)
    except ValueError:
        return


def test_references_that_would_multiply_are_refused(tmp_path: Path) -> None:
    state: list[Any] = [0]
    for _ in range(40):
        state = [state, state]
    save_torch({"model": {}, "config": state}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="more than 1,048,576 values"):
        load_torch(tmp_path / "w.pt")


# Digests.


def _write(path: Path) -> bytes:
    torch.manual_seed(0)
    write_model(path, _model(), resolved(), {"version": "1", "classes": ["x"], "sizes": {}})
    return path.read_bytes()


def test_a_model_that_was_trained_on_nobody_is_whole(tmp_path: Path) -> None:
    provenance = {"version": "1", "classes": [], "sizes": {"num_classes": 0}}
    write_model(tmp_path / "model.pt", _model(), resolved(), provenance)
    assert read_model(tmp_path / "model.pt").provenance == provenance


def test_any_flipped_bit_of_a_model_is_an_error_with_the_command(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    whole = _write(path)
    assert set(torch.load(path, weights_only=True)) == {"format", "model", "config", "provenance"}
    rng = random.Random(0)
    for place in [0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(60))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            read_model(path)
        assert str(path) in str(caught.value), place
    path.write_bytes(whole[:-90])
    with pytest.raises(CheckpointError, match=rf"snakemake --cores all {path}"):
        read_model(path)


def test_a_flipped_bit_of_a_checkpoint_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, OURS, 2)
    checkpoints.save(5, {"model": {"w": torch.tensor([5.0])}})
    newest = checkpoints.save(10, {"model": {"w": torch.tensor([10.0])}})
    damaged = bytearray(newest.read_bytes())
    damaged[damaged.index(struct.pack("<f", 10.0))] ^= 1
    newest.write_bytes(damaged)
    state, said = checkpoints.newest(100)
    assert state is not None and state["model"]["w"].item() == 5
    assert len(said) == 1 and str(newest) in said[0] and "is damaged" in said[0]


def test_a_checkpoint_that_lacks_a_part_or_has_another_name_is_skipped(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, OURS, 9)
    checkpoints.save(5, {"model": {}, "optimizer": {}})
    checkpoints.save(6, {"model": {}, "optimizer": [1]})
    checkpoints.save(7, {"model": {}})
    checkpoints.save(8, {"model": {}, "optimizer": {}}).rename(checkpoints.folder / "9.pt")
    state, said = checkpoints.newest(100, {"model": dict, "optimizer": dict})
    assert state is not None and state["iteration"] == 5
    assert ["iteration 8" in said[0], "optimizer" in said[1], "optimizer" in said[2]] == [True] * 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": None}, "under 'model'"),
        ({"model": {"a": 3}}, "under 'model'"),
        ({"model": [1]}, "under 'model'"),
        ({"config": {}}, "under 'config'"),
        ({"config": {"experiment": {"model": {"name": 3}}}}, "under 'config'"),
        ({"provenance": None}, "under 'provenance'"),
        ({"provenance": {"sizes": {"num_classes": 10**15}}}, "as num_classes"),
        ({"provenance": {"sizes": {"num_classes": -1}}}, "as num_classes"),
    ],
)
def test_an_incomplete_model_is_told(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    _write(path)
    save_torch({**torch.load(path, weights_only=True), **change}, path)
    with pytest.raises(CheckpointError, match=said):
        read_model(path)


def test_a_sealed_file_is_not_trusted_either(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(_archive(b"\x80\x02}X\x01\x00\x00\x00acos\nsystem\n)Rs.", {}))
    seal_zip(path)
    with pytest.raises(CheckpointError, match=r"an object of os\.system"):
        load_torch(path)


# What fits a model.


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (torch.zeros(2, 2, dtype=torch.complex64), "complex64 instead of float32"),
        (torch.zeros(2, 2, dtype=torch.int8), "int8 instead of float32"),
        (torch.full((2, 2), float("nan")), "not finite"),
        (torch.full((2, 2), 1e300, dtype=torch.float64), "not finite"),
        (torch.zeros(2, 3), r"\[2, 3\] instead of \[2, 2\]"),
    ],
)
def test_weights_of_another_kind_are_refused(value: torch.Tensor, said: str) -> None:
    model = nn.Linear(2, 2, bias=False)
    before = model.weight.detach().clone()
    with pytest.raises(CheckpointError, match=f"weight.*{said}"):
        load_strictly(model, {"weight": value}, "w.pt")
    assert torch.equal(model.weight, before)


def test_another_precision_fits() -> None:
    model = nn.Linear(2, 2, bias=False)
    load_strictly(model, {"weight": torch.ones(2, 2, dtype=torch.float16)}, "w.pt")
    assert torch.equal(model.weight, torch.ones(2, 2))


def test_a_message_names_the_first_few_of_many() -> None:
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(300)))
    with pytest.raises(
        CheckpointError, match=r"0\.weight, 0\.bias, 1\.weight and 597 more"
    ) as caught:
        load_strictly(model, {"x\x1b[31m" * 100: torch.zeros(1)}, "w.pt")
    assert len(str(caught.value)) < 500 and "\x1b" not in str(caught.value)


def test_a_warm_start_does_not_cast_in_silence(tmp_path: Path) -> None:
    source = nn.Linear(1, 1)
    write_model(tmp_path / "w.pt", source, resolved(), {})
    data = torch.load(tmp_path / "w.pt", weights_only=True)
    data["model"]["weight"] = data["model"]["weight"].to(torch.int8)
    save_torch(data, tmp_path / "w.pt")
    target, init = nn.Linear(1, 1), {"weights": str(tmp_path / "w.pt"), "strict": False}
    before = target.weight.detach().clone()
    _, said = start(target, resolved(init=init).experiment)
    assert said and "int8 instead of float32" in said[0]
    assert torch.equal(target.weight, before)


@pytest.mark.parametrize(
    "content",
    [[1, 2], {"bn_s.running_mean": 3}, {"reduce.weight": torch.zeros(2, 4, dtype=torch.int8)}],
)
def test_a_file_without_a_mask_branch_is_told(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "mask.pt")
    with pytest.raises(CheckpointError, match=r"mask\.pt"):
        MaskBranch(4).load_pretrained(tmp_path / "mask.pt")


def test_a_published_mask_branch_is_taken(tmp_path: Path) -> None:
    source, target = MaskBranch(4), MaskBranch(4)
    names = {"norm": "bn_s", "reduce": "down_sampling", "restore": "up_sampling"}
    foreign = {
        f"module.{names[name.split('.')[0]]}.{name.split('.')[1]}": value
        for name, value in source.state_dict().items()
    }
    torch.save({"model": foreign, "epoch": np.int64(1)}, tmp_path / "mask.pt")
    target.load_pretrained(tmp_path / "mask.pt")
    assert _same(target.state_dict(), source)
