"""What a model gets: modalities read from the store, joined, transformed, and put in range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gait import registry
from gait.config.experiment import Augmentation
from gait.data.store import PackedStore
from gait.data.transforms import Frames, Transform, apply
from gait.errors import ConfigError, DataError
from gait.ragged import Ragged

# Means and standard deviations of ImageNet's pixels, which networks for RGB images expect.
_RGB_MEAN = (0.485, 0.456, 0.406)
_RGB_STD = (0.229, 0.224, 0.225)
# Grey values; parsing maps, uint8 as well, hold class numbers.
_GREY = frozenset({"silhouettes", "masks", "skeleton_maps", "depth", "flow"})


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One tensor of a model's input.

    Attributes:
        name: as the experiment has it, modalities joined by '+'.
        transforms: applied to each sequence, one after the other.
    """

    name: str
    transforms: list[Transform] = field(default_factory=list)

    @property
    def modalities(self) -> list[str]:
        return self.name.split("+")

    def read(
        self,
        store: PackedStore,
        index: int,
        frames: npt.NDArray[np.int64] | slice,
        rng: np.random.Generator,
    ) -> Frames:
        """Frames of one sequence after the transforms, [s, ...]."""
        return self.made_of([store.read(index, frames, each) for each in self.modalities], rng)

    def made_of(self, parts: Sequence[Frames | Ragged], rng: np.random.Generator) -> Frames:
        """Frames of one sequence after the transforms, given for each modality."""
        return apply(self.transforms, _joined([_plain(each) for each in parts]), rng)

    def frame(self, store: PackedStore) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
        """Type and shape of a frame after the transforms.

        Raises:
            DataError: the store lacks a modality, or the transforms change the type or the number
                of frames.
        """
        given = _joined([_plain(store.blank(each)) for each in self.modalities])
        result = apply(self.transforms, given, np.random.default_rng(0))
        if len(result) != len(given) or result.dtype != given.dtype:
            raise DataError(
                f"the transforms of {self.name} turned {len(given)} frames of {given.dtype} into "
                f"{result.dtype} {list(result.shape)}, expected {given.dtype} and as many frames; "
                "change `transforms` of the experiment"
            )
        return result.dtype, result.shape[1:]

    def on_device(self, values: Tensor, device: torch.device) -> Tensor:
        """Values as a model takes them: float32, grey values in 0..1, colours normalised."""
        values = values.to(device, non_blocking=True)
        first = self.modalities[0]
        if first == "rgb" and values.dtype == torch.uint8:
            mean, std = (
                torch.tensor(each, device=device).view(3, 1, 1) for each in (_RGB_MEAN, _RGB_STD)
            )
            return values.float().div_(255).sub_(mean).div_(std)
        if values.dtype == torch.uint8 and first in _GREY:
            return values.float().div_(255)
        return values.float()


def model_inputs(names: Sequence[str], transforms: Sequence[Augmentation]) -> list[ModelInput]:
    """The inputs that an experiment names, each with its transforms.

    Raises:
        ConfigError: a transform cannot be made.
    """
    built: dict[str, list[Transform]] = {name: [] for name in names}
    for each in transforms:
        built[each.input or names[0]].append(registry.build("transform", each.settings))
    return [ModelInput(name, built[name]) for name in names]


def derived_sizes(
    inputs: Sequence[ModelInput], shapes: Sequence[tuple[int, ...]]
) -> dict[str, int]:
    """What models derive from the shapes of their frames, by the name of the parameter."""
    sizes: dict[str, int] = {}
    for each, shape in zip(inputs, shapes, strict=True):
        if each.name == "pose":
            sizes.setdefault("num_joints", shape[0])
        elif len(shape) >= 2 and each.name != "points":
            sizes.setdefault("height_px", shape[-2])
            sizes.setdefault("width_px", shape[-1])
    return sizes


def _plain(values: Frames | Ragged) -> Frames | Ragged:
    """Values as transforms take them: uint8 as it is, anything else in single precision."""
    return values if values.dtype == np.uint8 else values.astype(np.float32, copy=False)


def _joined(parts: list[Frames | Ragged]) -> Frames | Ragged:
    """Maps of equal size on one channel axis; wider ones lose columns on both sides."""
    if len(parts) == 1:
        return parts[0]
    even = [each for each in parts if isinstance(each, np.ndarray)]
    assert len(even) == len(parts), "an experiment joins no ragged modality"
    maps = [each[:, None] if each.ndim == 3 else each for each in even]
    width = min(each.shape[-1] for each in maps)
    cut = [
        each[..., (each.shape[-1] - width) // 2 : (each.shape[-1] + width) // 2] for each in maps
    ]
    if len({(each.dtype, each.shape[2:]) for each in cut}) > 1:
        found = ", ".join(f"{each.dtype} {list(each.shape[1:])}" for each in maps)
        raise ConfigError(
            f"inputs: modalities joined by + need frames of one type and height, got {found}; "
            "give them as inputs of their own"
        )
    return np.concatenate(cut, axis=1)
