"""Walkers found by any person-segmentation network in the ONNX format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.errors import ConfigError, MissingExtraError, nearest
from gait.prepare.segmenters._figure import largest_part
from gait.prepare.video import read_video

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Image = NDArray[np.uint8]
Layout = Literal["NCHW", "NHWC"]


class Onnx:
    """Segments by a network whose input and output are described here.

    A frame is resized to the input's size, its values become `(value * scale - mean) / std`. The
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
        batch: frames a run; a network with a fixed number of frames overrides it.
        smallest: share of the frame's area below which nothing counts as a walker.
        cut_frames: what becomes of frames where the walker touches the left or right border.

    Raises:
        MissingExtraError: the extra [onnx] is not installed.
        ConfigError: no such file, not a network, or no such input or output.
    """

    def __init__(
        self,
        network: str,
        height_px: int,
        width_px: int,
        input: str | None = None,
        layout: Layout = "NCHW",
        colour: Literal["RGB", "BGR"] = "RGB",
        scale: float = 1 / 255,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        std: tuple[float, float, float] = (1.0, 1.0, 1.0),
        output: str | int = 0,
        output_layout: Layout | None = None,
        channel: int = 0,
        activation: Literal["none", "sigmoid", "softmax", "argmax"] = "none",
        threshold: float = 0.5,
        batch: int = 8,
        smallest: float = 0.003,
        cut_frames: Literal["drop", "keep"] = "drop",
    ) -> None:
        self.cut_frames = cut_frames
        self._session = _open(Path(network))
        # The settings name the file; what matters is what is in it.
        self.version = "1-" + hashlib.sha256(Path(network).read_bytes()).hexdigest()[:16]
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        self._input = _named(input or next(iter(inputs)), list(inputs), "input", network)
        self._output = _named(output, outputs, "output", network)
        first = inputs[self._input].shape[0]
        self._fixed = isinstance(first, int)
        self._batch = first if isinstance(first, int) else batch
        self._dtype = np.float16 if inputs[self._input].type == "tensor(float16)" else np.float32
        self._size = (width_px, height_px)
        self._layout = layout
        self._output_layout = output_layout or layout
        self._reverse = colour == "RGB"
        self._factor = (scale / np.asarray(std)).astype(np.float32)
        self._offset = (-np.asarray(mean) / np.asarray(std)).astype(np.float32)
        self._channel = channel
        self._activation = activation
        self._threshold = threshold
        self._smallest = smallest
        self._where = f"segmenter.output of {network}"

    def segment(self, video: Path, background: Path | None) -> Iterator[NDArray[np.bool_] | None]:
        """The walker in each frame of `video`; `background` is not needed.

        Raises:
            VideoError: the clip is broken.
            ConfigError: the network's output is not as described.
        """
        frames = read_video(video)
        while block := list(islice(frames, self._batch)):
            for frame, share in zip(block, self._shares(block), strict=True):
                height, width = frame.shape[:2]
                share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
                yield largest_part(share >= self._threshold, self._smallest)

    def _shares(self, frames: list[Image]) -> NDArray[np.float32]:
        """How much each pixel is a person's, float32 [n, h, w], 0..1 once activated."""
        small = [cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA) for frame in frames]
        if self._fixed:
            small += small[-1:] * (self._batch - len(small))
        images = np.stack(small)
        if self._reverse:
            images = images[..., ::-1]
        values = images * self._factor + self._offset
        if self._layout == "NCHW":
            values = values.transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(values, self._dtype)
        result = self._session.run([self._output], {self._input: values})[0]
        return self._activated(np.asarray(result)[: len(frames)])

    def _activated(self, result: NDArray[np.generic]) -> NDArray[np.float32]:
        if result.ndim == 4 and self._output_layout == "NHWC":
            result = result.transpose(0, 3, 1, 2)
        elif result.ndim == 3:
            result = result[:, None]
        if result.ndim != 4:
            raise ConfigError(
                f"{self._where}: expected [n, c, h, w], [n, h, w, c] or [n, h, w], got "
                f"{list(result.shape)}; choose another output"
            )
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

    if not network.is_file():
        raise ConfigError(
            f"segmenter.network: expected the path of an .onnx file, found no file {network}"
        )
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
            f"segmenter.network: expected a network in the ONNX format, got {network} ({error})"
        ) from error


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
