"""Parameters of the ONNX segmenter change what its network is given, and the masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, load, numpy_helper, save

from gait.formats.catalogue import CatalogueRow, RowKind, rows_text
from gait.formats.source import File
from gait.prepare.silhouettes.masks import load_masks
from gait.prepare.silhouettes.segment import segment_shard
from gait.prepare.silhouettes.segmenters.onnx import Onnx
from gait.types import SequenceKey
from tests.unit.test_onnx import BLUE, RED, H, W, check, clip, found, network

__all__ = ["clip"]


class Recorded:
    """A session that notes the shapes that it is given."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.shapes: list[tuple[int, ...]] = []

    def run(self, outputs: Any, inputs: dict[str, np.ndarray]) -> Any:
        self.shapes += [each.shape for each in inputs.values()]
        return self._session.run(outputs, inputs)


def test_frames_are_given_in_batches_of_the_size_that_is_stated(
    tmp_path: Path, clip: Path
) -> None:
    path = tmp_path / "net.onnx"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Identity", ["image"], ["result"])]
    graph = helper.make_graph(nodes, "tiny", [image], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(path))
    for batch, height, width, counts in ((2, 12, 20, [2, 2, 1]), (4, 24, 32, [4, 1])):
        tool = Onnx(str(path), height, width, batch=batch)
        tool._session = Recorded(tool._session)
        list(tool.segment(clip, None))
        assert tool._session.shapes == [(each, 3, height, width) for each in counts]


def test_an_output_is_chosen_by_its_name_or_number(tmp_path: Path, clip: Path) -> None:
    path = network(tmp_path / "net.onnx", [BLUE], [0.0])
    model = load(path)
    kernel = numpy_helper.from_array(np.asarray([RED], np.float32)[:, :, None, None], "red")
    model.graph.initializer.append(kernel)
    model.graph.node.append(helper.make_node("Conv", ["image", "red", "bias"], ["walker"]))
    model.graph.output.append(helper.make_tensor_value_info("walker", TensorProto.FLOAT, None))
    save(model, path)
    for output in ("walker", 1):
        check(found(clip, path, output=output))
    for output in ("scores", 0):
        masks = found(clip, path, output=output)
        # The wall is blue: its middle is found, where the walker never is.
        assert all(mask is not None and mask[70, 64] for mask in masks)


def test_an_output_may_be_laid_out_otherwise_than_the_input(tmp_path: Path, clip: Path) -> None:
    path = network(tmp_path / "net.onnx", [BLUE, RED], [0.0, 0.0], nhwc=True)
    model = load(path)
    # Channels last come in, and channels first go out.
    del model.graph.node[-1]
    model.graph.output[0].name = "scores"
    save(model, path)
    check(found(clip, path, layout="NHWC", output_layout="NCHW", channel=1))


def test_a_share_counts_from_the_threshold_on(tmp_path: Path, clip: Path) -> None:
    # A red of 250 of 255 levels, halved.
    path = network(tmp_path / "net.onnx", [[0.5, 0.0, 0.0]], [0.0])
    check(found(clip, path, threshold=0.3))
    assert found(clip, path, threshold=0.52) == [None] * 5


def test_nothing_below_a_share_of_the_frame_is_a_walker(tmp_path: Path, clip: Path) -> None:
    path = network(tmp_path / "net.onnx", [RED], [0.0])
    areas = [0 if each is None else int(each.sum()) for each in found(clip, path)]
    share = max(areas) / (16 * H * W)
    check(found(clip, path, min_area=0.5 * share))
    assert found(clip, path, min_area=1.1 * share) == [None] * 5


@pytest.mark.parametrize("cut_frames", ["drop", "keep"])
def test_frames_that_are_cut_are_dropped_or_kept(
    cut_frames: str, tmp_path: Path, clip: Path
) -> None:
    path = network(tmp_path / "net.onnx", [RED], [0.0])
    (tmp_path / "raw").mkdir()
    clip.rename(tmp_path / "raw/clip.avi")
    row = CatalogueRow(
        SequenceKey("001", "nm-01", "090"), RowKind.VIDEO, File("clip.avi"), "", "print"
    )
    (tmp_path / "shard.csv").write_text(rows_text([row]))
    settings = {"name": "onnx", "network": path, "height_px": H, "width_px": W}
    segment_shard(
        tmp_path / "shard.csv",
        tmp_path / "raw",
        tmp_path,
        tmp_path / "table.csv",
        {**settings, "cut_frames": cut_frames},
    )
    # The walker begins at the left border.
    kept = load_masks(tmp_path / "silhouettes/001/nm-01/090.npz").frames.tolist()
    assert kept == ([0, 1, 2, 3] if cut_frames == "keep" else [1, 2, 3])


@pytest.mark.parametrize(
    ("activation", "share"),
    [
        ("none", 250 / 255 * 2),
        ("sigmoid", 1 / (1 + np.exp(-250 / 255 * 2))),
        # Beside a score of nought.
        ("softmax", 1 / (1 + np.exp(-250 / 255 * 2))),
        ("argmax", 1.0),
    ],
)
def test_scores_become_shares(activation: str, share: float, tmp_path: Path, clip: Path) -> None:
    twice = [2.0, 0.0, 0.0]
    weights = [twice] if activation in ("none", "sigmoid") else [[0.0, 0.0, 0.0], twice]
    channel = len(weights) - 1
    path = network(tmp_path / "net.onnx", weights, [0.0] * len(weights))
    settings = {"activation": activation, "channel": channel}
    # Frames are compressed, which changes a level or two.
    masks = found(clip, path, threshold=share - 0.02, **settings)
    assert all(mask is not None for mask in masks[:4])
    assert found(clip, path, threshold=share + 0.02, **settings) == [None] * 5
