"""Reads the golden vectors and makes their inputs and weights by their recipe."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

FOLDER = Path(__file__).parent / "goldens"
Array = npt.NDArray[np.float64]


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def cases(name: str) -> dict[str, dict[str, Any]]:
    return {case["name"]: case for case in read(name)["cases"]}


def uniform(seed: str, shape: tuple[int, ...] | list[int]) -> Array:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(seed.encode())))
    return generator.random(tuple(shape))


def symmetric(seed: str, shape: tuple[int, ...] | list[int]) -> Array:
    return (2 * uniform(seed, shape) - 1) * np.sqrt(3)


def tensor(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def weights(golden: dict[str, Any]) -> dict[str, Tensor]:
    """The state dict of a model golden, by its foreign names, without constants."""
    listed = list(golden["state_dict"])
    if golden["model"] == "FoundationGait_Scaling":
        # Its student is filled likewise, under its own names, and is not listed.
        listed += [
            [name.replace("teacher_", "student_", 1), *rest]
            for name, *rest in listed
            if name.startswith("teacher_")
        ]
    state = {
        name: _weight(f"{golden['salt']}|{name}", shape, rule)
        for name, shape, rule in listed
        if rule != "k"
    }
    for name, values in golden.get("weights_set_after_the_recipe", {}).items():
        state[name] = torch.tensor(values, dtype=torch.float32)
    return state


def inputs(seed: str, kind: list[Any], n: int, frames: int) -> list[Tensor]:
    """The input tensors of a model golden."""
    names, *size = kind
    if names == "sym":
        shape = [n, *(frames if each == "T" else each for each in size)]
        return [tensor(symmetric(seed, shape))]
    if names == "points":
        points = 2 * uniform(seed, (n, frames, *size, 4)) - 1
        points[..., 3] += 1
        return [tensor(points)]
    height, width = size[-2:]
    mask = _blob(seed, n, frames, height, width)
    if names == "sil+smpl":
        smpl = 0.5 * symmetric(f"{seed}|smpl", (n, frames, 85))
        return [*inputs(seed, ["sil", *size], n, frames), tensor(smpl)]
    if names == "sil":
        noise = uniform(seed, (n, frames, height, width))
        return [tensor(mask * (0.75 + 0.25 * noise) + (1 - mask) * 0.05 * noise)]
    if names == "maps":
        noise = uniform(seed, (n, frames, *size))
        mask = mask[:, :, None]
        return [tensor(mask * (0.25 + 0.75 * noise) + (1 - mask) * 0.05 * noise)]
    if names == "parsing":
        return [tensor(mask * (1 + np.floor(11 * uniform(seed, (n, frames, height, width)))))]
    lowest, span = (0.3, 0.15) if names == "rgb+ratio" else (0.3, 0.4)
    made = {
        "rgb": lambda: symmetric(f"{seed}|rgb", (n, frames, 3, height, width)),
        "latent": lambda: symmetric(f"{seed}|latent", (n, frames, 4, height, width)),
        "ratio": lambda: lowest + span * uniform(f"{seed}|ratio", (n, frames)),
        "sil": lambda: mask,
    }
    return [tensor(made[name]()) for name in names.split("+")]


def sample(values: Tensor, count: int) -> npt.NDArray[np.float32]:
    """The `count` values that a golden shows of a tensor."""
    flat = values.detach().flatten().numpy()
    return flat[np.arange(count) * flat.size // count]


def assert_close(values: Tensor, golden: dict[str, Any], tolerance: float) -> None:
    """Compare a tensor with its golden; `tolerance` is relative to the standard deviation."""
    assert list(values.shape) == golden["shape"]
    allowed = tolerance * max(golden["std"], 1e-8)
    found = sample(values, len(golden["sample"]))
    np.testing.assert_allclose(found, golden["sample"], rtol=0, atol=allowed)
    assert abs(values.double().mean().item() - golden["mean"]) <= allowed
    assert values.double().norm().item() == pytest.approx(golden["l2"], rel=tolerance, abs=1e-7)


def _weight(seed: str, shape: list[int], rule: str) -> Tensor:
    if rule == "t":
        return torch.zeros(shape, dtype=torch.int64)
    if rule == "w":
        return tensor(symmetric(seed, shape) * np.sqrt(1 / np.prod(shape[1:])))
    if rule == "f":
        return tensor(symmetric(seed, shape) * np.sqrt(1 / shape[1]))
    if rule == "v":
        return tensor(1 + 0.1 * uniform(seed, shape))
    if rule == "e":
        return tensor(0.02 * symmetric(seed, shape))
    centre = {"g": 1.0, "b": 0.0, "m": 0.0, "q": 6.5, "h": 0.75}[rule]
    return tensor(centre + 0.05 * symmetric(seed, shape))


def _blob(seed: str, n: int, frames: int, height: int, width: int) -> Array:
    r = uniform(f"{seed}|blob", (n, frames, 4))[..., None, None]
    centre_x, centre_y = width * (0.4 + 0.2 * r[:, :, 0]), height * (0.45 + 0.1 * r[:, :, 1])
    half_x, half_y = width * (0.15 + 0.2 * r[:, :, 2]), height * (0.35 + 0.1 * r[:, :, 3])
    y, x = np.mgrid[:height, :width]
    return (((x - centre_x) / half_x) ** 2 + ((y - centre_y) / half_y) ** 2 <= 1).astype(float)
