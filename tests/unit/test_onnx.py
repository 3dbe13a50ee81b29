"""The ONNX segmenter on tiny networks: white things are persons."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gait.errors import ConfigError, DataError, MissingExtraError
from gait.prepare.silhouettes.segmenters import onnx as module
from gait.prepare.silhouettes.segmenters.onnx import Onnx
from gait.registry import parameters

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, load, numpy_helper, save
from onnx.external_data_helper import convert_model_to_external_data

H, W = 24, 32


def network(
    path: Path,
    weights: list[list[float]],
    bias: list[float],
    *,
    nhwc: bool = False,
    batch: int | str = "n",
    classes: bool = False,
) -> str:
    """A network of one 1 x 1 convolution, [channels out][red, green, blue], plus `bias`."""
    kernel = np.asarray(weights, np.float32)[:, :, None, None]
    names = ["image"]
    nodes = []
    if nhwc:
        nodes.append(helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]))
        names = ["planes"]
    nodes.append(helper.make_node("Conv", [names[0], "kernel", "bias"], ["scores"]))
    output, kind = "scores", TensorProto.FLOAT
    if nhwc:
        nodes.append(helper.make_node("Transpose", ["scores"], ["result"], perm=[0, 2, 3, 1]))
        output = "result"
    if classes:
        nodes.append(helper.make_node("ArgMax", ["scores"], ["classes"], axis=1, keepdims=0))
        output, kind = "classes", TensorProto.INT64
    shape = [batch, H, W, 3] if nhwc else [batch, 3, H, W]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, kind, None)],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.asarray(bias, np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(path))
    return str(path)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five frames, blue with a red square that moves right, and a red dot; the last is empty."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (4 * W, 4 * H))
    for number in range(5):
        image = np.full((4 * H, 4 * W, 3), (200, 0, 0), np.uint8)
        if number < 4:
            image[20:60, 16 * number : 16 * number + 24] = (0, 0, 250)
            image[84:88, 120:124] = (0, 0, 250)
        writer.write(image)
    writer.release()
    return path


def found(clip: Path, path: str, **settings: Any) -> list[np.ndarray | None]:
    return list(Onnx(path, H, W, **settings).segment(clip, None))


def check(masks: list[np.ndarray | None]) -> None:
    assert len(masks) == 5
    assert masks[4] is None
    for number, mask in enumerate(masks[:4]):
        assert mask is not None and mask.shape == (4 * H, 4 * W) and mask.dtype == bool
        rows, columns = np.nonzero(mask)
        assert abs(int(rows.min()) - 20) <= 2 and abs(int(rows.max()) - 59) <= 2
        assert abs(int(columns.min()) - 16 * number) <= 2
        assert abs(int(columns.max()) - (16 * number + 23)) <= 2


RED = [1.0, 0.0, 0.0]
BLUE = [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("weights", "bias", "settings"),
    [
        ([RED], [0.0], {"activation": "none"}),
        ([[12.0, 0.0, 0.0]], [-6.0], {"activation": "sigmoid"}),
        ([BLUE, RED], [0.0, 0.0], {"activation": "softmax", "channel": 1}),
        ([BLUE, [0, 9, 0], RED], [0.0, 0.0, 0.0], {"activation": "argmax", "channel": 2}),
        ([RED], [0.0], {"scale": 1.0, "mean": (0, 0, 0), "std": (255, 255, 255)}),
        ([RED], [1.0], {"mean": (1.0, 1.0, 1.0), "output": "scores", "input": "image"}),
        ([BLUE], [0.0], {"colour": "BGR"}),
    ],
)
@pytest.mark.parametrize("nhwc", [False, True])
def test_a_network_is_used_as_described(
    tmp_path: Path,
    clip: Path,
    weights: list[list[float]],
    bias: list[float],
    settings: dict[str, Any],
    nhwc: bool,
) -> None:
    path = network(tmp_path / "net.onnx", weights, bias, nhwc=nhwc)
    if nhwc:
        settings = settings | {"layout": "NHWC"}
        settings.pop("output", None)
    check(found(clip, path, **settings))


def test_an_output_of_class_numbers_is_compared_with_the_class(tmp_path: Path, clip: Path) -> None:
    path = network(tmp_path / "net.onnx", [BLUE, RED], [0.0, 0.0], classes=True)
    check(found(clip, path, channel=1))


@pytest.mark.parametrize("batch", [1, 2, 3, "n"])
def test_neither_a_fixed_batch_nor_its_size_changes_masks(
    tmp_path: Path, clip: Path, batch: int | str
) -> None:
    path = network(tmp_path / "net.onnx", [RED], [0.0], batch=batch)
    check(found(clip, path, batch=4))


def test_another_network_at_the_same_path_is_another_version(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", [RED], [0.0])
    first = Onnx(path, H, W).version
    assert Onnx(path, H, W).version == first
    network(tmp_path / "net.onnx", [BLUE], [0.0])
    assert Onnx(path, H, W).version != first


def test_what_does_not_fit_the_network_is_said(tmp_path: Path, clip: Path) -> None:
    path = network(tmp_path / "net.onnx", [RED], [0.0])
    with pytest.raises(ConfigError, match=r"segmenter\.network: .* found no file"):
        Onnx(str(tmp_path / "other.onnx"), H, W)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ConfigError, match=r"segmenter\.network: expected a network .*text\.onnx"):
        Onnx(str(tmp_path / "text.onnx"), H, W)
    with pytest.raises(ConfigError, match=r"segmenter\.input: .*'imag'; did you mean 'image'"):
        Onnx(path, H, W, input="imag")
    with pytest.raises(ConfigError, match=r"segmenter\.output: .* has 1 outputs, got number 3"):
        Onnx(path, H, W, output=3)
    with pytest.raises(ConfigError, match=r"has 1 channels, got segmenter\.channel 15"):
        found(clip, path, channel=15)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(name: str) -> None:
        return None if name == "onnxruntime" else importlib.util.find_spec(name)

    monkeypatch.setattr(module, "find_spec", absent)
    with pytest.raises(MissingExtraError, match=r"extra \[onnx\]: "):
        Onnx(str(tmp_path / "net.onnx"), H, W)


def test_the_network_and_its_size_have_to_be_given() -> None:
    assert parameters("segmenter", "onnx").required == {"network", "height_px", "width_px"}


def graph(
    path: Path,
    shape: list[Any] | None,
    nodes: list[Any],
    *,
    kind: int = TensorProto.FLOAT,
    output: int = TensorProto.FLOAT,
    constants: dict[str, np.ndarray] | None = None,
    inputs: tuple[str, ...] = ("image",),
) -> str:
    """A network from `image` to `result`."""
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(each, kind, shape) for each in inputs],
        [helper.make_tensor_value_info("result", output, None)],
        [numpy_helper.from_array(each, name) for name, each in (constants or {}).items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(path))
    return str(path)


def test_an_input_of_bytes_gets_levels(tmp_path: Path, clip: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["levels", "from", "to", "axis"], ["red"]),
        helper.make_node("Div", ["red", "most"], ["result"]),
    ]
    constants = {
        "from": np.array([0]),
        "to": np.array([1]),
        "axis": np.array([1]),
        "most": np.array([255], np.float32),
    }
    path = graph(
        tmp_path / "net.onnx",
        ["n", 3, H, W],
        nodes,
        kind=TensorProto.UINT8,
        constants=constants,
    )
    check(found(clip, path))
    with pytest.raises(ConfigError, match=r"net\.onnx takes levels .* leave scale, mean and std"):
        Onnx(path, H, W, mean=(0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("kind", "shape", "sentence"),
    [
        (TensorProto.FLOAT, [0, 3, H, W], "takes 0 frames at a time, expected 1 or more"),
        (TensorProto.FLOAT, [2**31, 3, H, W], "a batch of images .* pixels, expected at most"),
        (TensorProto.INT64, ["n", 3, H, W], r"takes tensor\(int64\), expected one of"),
        (TensorProto.FLOAT, ["n", 3, H, 99], "got height_px 24, width_px 32 and layout NCHW"),
        (TensorProto.FLOAT, ["n", H, W, 3], "got height_px 24, width_px 32 and layout NCHW"),
        (TensorProto.FLOAT, ["n", 1, H, W], "got height_px 24, width_px 32 and layout NCHW"),
        (TensorProto.FLOAT, ["n", 3, H], "got height_px 24, width_px 32 and layout NCHW"),
    ],
)
def test_an_input_that_no_frames_fit_is_said(
    tmp_path: Path, kind: int, shape: list[Any], sentence: str
) -> None:
    nodes = [helper.make_node("Identity", ["image"], ["result"])]
    path = graph(tmp_path / "net.onnx", shape, nodes, kind=kind, output=kind)
    with pytest.raises((ConfigError, DataError), match=rf"net\.onnx.*{sentence}"):
        Onnx(path, H, W)


def test_a_second_input_is_said(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["image", "other"], ["result"])]
    path = graph(tmp_path / "net.onnx", ["n", 3, H, W], nodes, inputs=("image", "other"))
    with pytest.raises(ConfigError, match=r"has the inputs 'image', 'other', expected one"):
        Onnx(path, H, W)


@pytest.mark.parametrize(
    ("nodes", "output", "sentence"),
    [
        ([("Sub", "Div"), None], TensorProto.FLOAT, r"no numbers \(NaN\)"),
        ([("Flatten",), None], TensorProto.FLOAT, r"expected \[n, c, h, w\].* got \[5, 2304\]"),
        ([("ReduceSum",), None], TensorProto.FLOAT, r"for 5 frames, got \[1, 1, 1, 1\]"),
        ([("Reshape",), [2]], TensorProto.FLOAT, r"net\.onnx fails for float32 \[5, 3, 24, 32\]"),
        ([("Shape", "Cast"), None], TensorProto.STRING, "expected numbers, got object"),
    ],
)
def test_an_output_that_is_no_share_is_said(
    tmp_path: Path, clip: Path, nodes: Any, output: int, sentence: str
) -> None:
    (operations, shape), name, made = nodes, "image", []
    for number, operation in enumerate(operations, start=1):
        result = "result" if number == len(operations) else operation
        second = {"Sub": [name], "Div": [name], "Reshape": ["shape"]}.get(operation, [])
        extra = {"to": TensorProto.STRING} if operation == "Cast" else {}
        made.append(helper.make_node(operation, [name, *second], [result], **extra))
        name = result
    constants = {} if shape is None else {"shape": np.array(shape)}
    path = graph(tmp_path / "net.onnx", ["n", 3, H, W], made, output=output, constants=constants)
    with pytest.raises(ConfigError, match=sentence):
        found(clip, path)


def test_weights_beside_the_network_count_and_no_others(tmp_path: Path, clip: Path) -> None:
    folder = tmp_path / "networks"
    folder.mkdir()
    path = network(folder / "net.onnx", [RED], [0.0])
    model = load(path)
    convert_model_to_external_data(model, location="net.data", size_threshold=0)
    save(model, path)
    assert (folder / "net.data").exists()
    check(found(clip, path))
    before = Onnx(path, H, W).version
    (folder / "net.data").write_bytes((folder / "net.data").read_bytes()[::-1])
    assert Onnx(path, H, W).version != before
    (folder / "net.data").rename(tmp_path / "net.data")
    content = Path(path).read_bytes()
    Path(path).write_bytes(content.replace(b"\x12\x08net.data", b"\x12\x08../n.bin"))
    (tmp_path / "net.data").rename(tmp_path / "n.bin")
    with pytest.raises(ConfigError, match=r"segmenter\.network: .*net\.onnx \(.*escapes"):
        Onnx(path, H, W)


@pytest.mark.parametrize(
    "settings", [{"batch": 0}, {"std": (0.0, 1.0, 1.0)}, {"width_px": -1}, {"height_px": 0}]
)
def test_settings_that_no_frame_fits_are_said(tmp_path: Path, settings: dict[str, Any]) -> None:
    path = network(tmp_path / "net.onnx", [RED], [0.0])
    with pytest.raises(ConfigError, match="expected height_px, width_px and batch of at least 1"):
        Onnx(path, **({"height_px": H, "width_px": W} | settings))
