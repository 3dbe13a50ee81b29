"""Walkers found by any person-segmentation network in the ONNX format."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gait import limits
from gait.errors import ConfigError, MissingExtraError, nearest
from gait.prepare.silhouettes.segmenters._figure import largest_part
from gait.prepare.silhouettes.video import DAMAGED_FRAME, read_frames

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Image = NDArray[np.uint8]
TensorLayout = Literal["NCHW", "NHWC"]

_SCALE = 1 / 255
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
_LONGEST_REASON = 300
# How a network names a file beside it that holds weights; the name's length and the name follow.
_WEIGHTS = re.compile(rb"\n\x08location\x12")


class Onnx:
    """Segments by a network whose input and output are described here.

    A frame is resized to the input's size, its values become `(value * scale - mean) / std`, save
    for an input of bytes (uint8), which gets the levels 0 to 255 as they are. The
    output's channel of persons is turned into a share between 0 and 1, resized to the frame, and
    cut at `threshold`; the largest part of it is the walker. The network runs on one thread.

    Args:
        network: path of the .onnx file.
        height_px: height of the input.
        width_px: width of the input.
        input: name of the input; the first one when not given.
        layout: order of the input's axes.
        colour: order of its colour channels.
        scale: what 0..255 is multiplied with.
        mean: subtracted from each channel, in the order of `colour`.
        std: each channel is divided by it.
        output: name of the output, or its number from 0.
        output_layout: order of the output's axes; as the input's when not given. An output
            without an axis of channels, [n, h, w], is taken as a single channel.
        channel: channel of persons; for 'argmax', and for outputs of whole numbers (which are
            taken as class numbers), the number of that class.
        activation: what turns the output into shares: nothing, the logistic function, the softmax
            over channels, or 1 where the channel of persons is the greatest.
        threshold: share from which a pixel is the walker's.
        batch: frames per run; a network with a fixed number of frames overrides it.
        min_area: share of the frame's area below which nothing counts as a walker.
        cut_frames: what becomes of frames where the walker touches the left or right border.

    Raises:
        MissingExtraError: the extra [onnx] is not installed.
        ConfigError: no such file, not a network, no such input or output, or an input of another
            type or shape.
    """

    def __init__(
        self,
        network: str,
        height_px: int,
        width_px: int,
        input: str | None = None,
        layout: TensorLayout = "NCHW",
        colour: Literal["RGB", "BGR"] = "RGB",
        scale: float = _SCALE,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
        output: str | int = 0,
        output_layout: TensorLayout | None = None,
        channel: int = 0,
        activation: Literal["none", "sigmoid", "softmax", "argmax"] = "none",
        threshold: float = 0.5,
        batch: int = 8,
        min_area: float = 0.003,
        cut_frames: Literal["drop", "keep"] = "drop",
    ) -> None:
        self.cut_frames = cut_frames
        self._network = network
        if min(height_px, width_px, batch) < 1 or not all(std):
            raise ConfigError(
                "segmenter: expected height_px, width_px and batch of at least 1 and a std "
                f"without 0, got {height_px}, {width_px}, {batch} and {list(std)}"
            )
        self._session = _open(Path(network))
        # The settings name the file; what matters is what is in it.
        self.version = f"1-{_digest(Path(network))[:16]}"
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        self._input = _named(0 if input is None else input, list(inputs), "input", network)
        self._output = _named(output, outputs, "output", network)
        if len(inputs) > 1:
            raise ConfigError(
                f"segmenter.network: {network} has the inputs {', '.join(map(repr, inputs))}, "
                "expected one, of images; export it with the others as constants"
            )
        wanted = inputs[self._input]
        self._batch, self._fixed = _batch_of(wanted.shape, batch, network)
        _check_shape(wanted.shape, layout, (height_px, width_px), network)
        limits.VIDEO_PX.check(
            self._batch * height_px * width_px, network, "a batch of images for the network"
        )
        self._dtype = _dtype_of(wanted.type, network)
        self._size = (width_px, height_px)
        self._layout = layout
        self._output_layout = output_layout or layout
        self._reverse = colour == "RGB"
        self._factor = (scale / np.asarray(std)).astype(np.float32)
        self._offset = (-np.asarray(mean) / np.asarray(std)).astype(np.float32)
        if self._dtype == np.uint8:
            self._check_levels(scale, mean, std)
        self._channel = channel
        self._activation = activation
        self._threshold = threshold
        self._min_area = min_area
        self._where = f"segmenter.output of {network}"

    def _check_levels(self, scale: float, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Refuse settings that bytes cannot have: they are taken as the levels 0 to 255."""
        if scale not in (1, _SCALE) or any(mean) or any(each != 1 for each in std):
            raise ConfigError(
                f"segmenter: the input {self._input!r} of {self._network} takes levels from 0 to "
                f"255 (uint8), got scale {scale}, mean {list(mean)} and std {list(std)}; leave "
                "scale, mean and std out"
            )

    def segment(
        self, video: Path, background: Path | None
    ) -> Iterator[NDArray[np.bool_] | str | None]:
        """The walker in each frame of `video`; `background` is not needed.

        Raises:
            VideoError: the clip is broken.
            ConfigError: the network's output is not as described, or is no number.
        """
        frames = read_frames(video)
        while block := list(islice(frames, self._batch)):
            intact = [frame for frame in block if frame is not None]
            shares = iter(self._shares(intact) if intact else ())
            for frame in block:
                if frame is None:
                    yield DAMAGED_FRAME
                    continue
                height, width = frame.shape[:2]
                share = cv2.resize(next(shares), (width, height), interpolation=cv2.INTER_LINEAR)
                yield largest_part(share >= self._threshold, self._min_area)

    def _shares(self, frames: list[Image]) -> NDArray[np.float32]:
        """How much each pixel is a person's, float32 [n, h, w], 0..1 once activated."""
        small = [cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA) for frame in frames]
        if self._fixed:
            small += small[-1:] * (self._batch - len(small))
        images = np.stack(small)
        if self._reverse:
            images = images[..., ::-1]
        values = images if self._dtype == np.uint8 else images * self._factor + self._offset
        if self._layout == "NCHW":
            values = values.transpose(0, 3, 1, 2)
        result = self._run(np.ascontiguousarray(values, self._dtype))
        shares = self._activated(self._planes(result, len(small))[: len(frames)])
        if np.isnan(shares).any():
            raise ConfigError(
                f"{self._where}: expected scores, got values that are no numbers (NaN); correct "
                "segmenter.scale, mean and std, or choose another network"
            )
        return shares

    def _run(self, values: NDArray[Any]) -> object:
        try:
            return self._session.run([self._output], {self._input: values})[0]
        except Exception as error:
            # The library's exceptions have no common base of their own.
            raise ConfigError(
                f"segmenter.network: {self._network} fails for {values.dtype} "
                f"{list(values.shape)} ({_first_line(error)}); correct the segmenter's size and "
                "layout in config/config.yaml, or export the network again"
            ) from error

    def _planes(self, result: object, frames: int) -> NDArray[Any]:
        """A network's result as numbers [frames, c, h, w]."""
        if not isinstance(result, np.ndarray) or result.dtype.kind not in "biuf":
            kind = getattr(result, "dtype", type(result).__name__)
            raise ConfigError(
                f"{self._where}: expected numbers, got {kind}; choose another output"
            )
        if result.ndim == 4 and self._output_layout == "NHWC":
            result = result.transpose(0, 3, 1, 2)
        elif result.ndim == 3:
            result = result[:, None]
        if result.ndim != 4 or len(result) != frames or not result.size:
            raise ConfigError(
                f"{self._where}: expected [n, c, h, w], [n, h, w, c] or [n, h, w] for {frames} "
                f"frames, got {list(result.shape)}; choose another output"
            )
        limits.VIDEO_PX.check(result.shape[2] * result.shape[3], self._where, "a mask")
        return result

    def _activated(self, result: NDArray[Any]) -> NDArray[np.float32]:
        if np.issubdtype(result.dtype, np.integer):
            of_class: NDArray[np.bool_] = result[:, 0] == self._channel
            return of_class.astype(np.float32)
        if not 0 <= self._channel < result.shape[1]:
            raise ConfigError(
                f"{self._where}: has {result.shape[1]} channels, got segmenter.channel "
                f"{self._channel}; change that, or segmenter.output_layout"
            )
        scores: NDArray[np.float32] = result.astype(np.float32, copy=False)
        shares: NDArray[np.float32] = scores[:, self._channel]
        if self._activation == "sigmoid":
            shares = 0.5 * (1 + np.tanh(0.5 * shares))
        elif self._activation == "softmax":
            exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares = exponentials[:, self._channel] / exponentials.sum(axis=1)
        elif self._activation == "argmax":
            shares = (scores.argmax(axis=1) == self._channel).astype(np.float32)
        return shares


def _open(network: Path) -> InferenceSession:
    if find_spec("onnxruntime") is None:
        raise MissingExtraError("the segmenter Onnx", "onnx")
    import onnxruntime

    try:
        size = network.stat().st_size if network.is_file() else None
    except OSError:
        size = None
    if size is None:
        raise ConfigError(
            f"segmenter.network: expected the path of an .onnx file, found no file {network}"
        )
    limits.FILE_BYTES.check(size, network, "a network")
    options = onnxruntime.SessionOptions()
    # Shards run side by side; each has one core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Errors are raised; the library's own lines about them would only hide the sentence.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            str(network), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # The library's exceptions have no common base of their own.
        raise ConfigError(
            f"segmenter.network: expected a network in the ONNX format, got {network} "
            f"({_first_line(error)})"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]


def _digest(network: Path) -> str:
    """Of the file, and of those beside it that it keeps weights in."""
    with (
        network.open("rb") as file,
        closing(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)) as content,
    ):
        digest = hashlib.sha256(content)
        names = {_name_at(content, match.end()) for match in _WEIGHTS.finditer(content)}
    for name in sorted(names):
        # What is no such file is none of the network's, as it has been opened.
        with suppress(OSError, ValueError), (network.parent / name).open("rb") as weights:
            digest.update(hashlib.file_digest(weights, "sha256").digest())
    return digest.hexdigest()


def _name_at(content: mmap.mmap, start: int) -> str:
    """A text that its length stands before, in one byte or two."""
    first, second = (*content[start : start + 2], 0, 0)[:2]
    if first < 0x80:
        return os.fsdecode(content[start + 1 : start + 1 + first])
    length = first & 0x7F | second << 7
    return os.fsdecode(content[start + 2 : start + 2 + length])


def _batch_of(shape: list[Any], wanted: int, network: str) -> tuple[int, bool]:
    """How many frames to run at a time, and whether it has to be as many."""
    first = shape[0] if shape else None
    if not isinstance(first, int):
        return wanted, False
    if first < 1:
        raise ConfigError(
            f"segmenter.network: {network} takes {first} frames at a time, expected 1 or more; "
            "export it with a batch of 1, or of any size (dynamic)"
        )
    return first, True


def _check_shape(
    shape: list[Any], layout: TensorLayout, size: tuple[int, int], network: str
) -> None:
    """Refuse another size of the input, as far as the network has one."""
    height_px, width_px = size
    wanted = [3, *size] if layout == "NCHW" else [*size, 3]
    # A network that does not say its shape says so when it is run.
    if not shape:
        return
    if len(shape) != 4 or any(
        isinstance(has, int) and has != each for has, each in zip(shape[1:], wanted, strict=True)
    ):
        raise ConfigError(
            f"segmenter.network: {network} takes {shape}, got height_px {height_px}, width_px "
            f"{width_px} and layout {layout}, which make [n, {', '.join(map(str, wanted))}]; "
            "correct these in config/config.yaml"
        )


def _dtype_of(type_: str, network: str) -> type[np.generic]:
    if type_ not in _TYPES:
        raise ConfigError(
            f"segmenter.network: {network} takes {type_}, expected one of "
            f"{', '.join(sorted(_TYPES))}; export it with an input of float32"
        )
    return _TYPES[type_]


def _named(wanted: str | int, known: list[str], what: str, network: str) -> str:
    if isinstance(wanted, int):
        if 0 <= wanted < len(known):
            return known[wanted]
        raise ConfigError(
            f"segmenter.{what}: {network} has {len(known)} {what}s, got number {wanted}"
        )
    if wanted in known:
        return wanted
    raise ConfigError(
        f"segmenter.{what}: {network} has none named {wanted!r}; {nearest(wanted, known)}"
    )
