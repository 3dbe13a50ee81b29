"""Transforms of OpenGait in our terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gait.compat.foreign import Section, shortened
from gait.errors import ConfigError, nearest

ListedTransforms = list[dict[str, Any]]


@dataclass(slots=True)
class Conversion:
    """What the transforms of a foreign configuration are here.

    Attributes:
        transforms: our transforms, of all inputs.
        inputs: our inputs; silhouettes whose values are class numbers are parsing maps.
        window: number of frames that they cut out of what was sampled; here sampled at once.
        two_views: whether each sequence comes twice, augmented independently.
        unread: dotted paths of parameters that never had an effect there.
    """

    inputs: list[str]
    transforms: ListedTransforms = field(default_factory=list)
    window: int | None = None
    two_views: bool = False
    unread: list[str] = field(default_factory=list)


def transforms_of(cfg: Section, inputs: list[str], key: str = "transform") -> Conversion:
    """Our transforms for the list under `key`, which has an entry for each input.

    Values are put in range after all transforms here, so the foreign transforms that only do that
    vanish, like those that only order the axes.

    Raises:
        ConfigError: another number of entries, or a transform that is not supported.
    """
    listed = cfg.take(key)
    if not isinstance(listed, list) or len(listed) != len(inputs):
        raise ConfigError(
            f"{cfg.at(key)}: expected {len(inputs)} entries, for {', '.join(inputs)}, "
            f"got {shortened(listed)}"
        )
    found = Conversion(list(inputs))
    for index, entry in enumerate(listed):
        where = f"{cfg.at(key)}.{index}"
        if isinstance(entry, list):
            if not entry or any(each != entry[0] for each in entry):
                raise ConfigError(f"{where}: expected equal transforms of all views, got {entry}")
            entry = entry[0]
        for section in _flattened(Section(entry, path=where), found):
            converted = _transform(section, found)
            if index:
                converted = [{**each, "input": found.inputs[index]} for each in converted]
            found.transforms += converted
            found.unread += section.unread()
    return found


def _flattened(cfg: Section, found: Conversion) -> Iterator[Section]:
    kind = cfg.text("type")
    if kind not in ("Compose", "TwoView"):
        yield cfg
        return
    found.two_views |= kind == "TwoView"
    for index, each in enumerate(cfg.listed("trf_cfg")):
        yield from _flattened(Section(each, path=f"{cfg.at('trf_cfg')}.{index}"), found)


def _transform(cfg: Section, found: Conversion) -> ListedTransforms:
    kind = cfg.text("type")
    if kind in _PLAIN:
        name, parameters = _PLAIN[kind]
        given = {ours: cfg.take(key) for key, ours in parameters.items() if key in cfg}
        return [{"name": name, **given}]
    if kind in _SPECIAL:
        return _SPECIAL[kind](cfg, found)
    known = [*_PLAIN, *_SPECIAL, "Compose", "TwoView"]
    raise ConfigError(f"{cfg.at('type')}: {kind!r} cannot be converted; {nearest(kind, known)}")


def _nothing(cfg: Section, found: Conversion) -> ListedTransforms:
    # Whatever it is told is about axes, ranges or the number of joints, which are known here.
    for key in cfg.given():
        cfg.take(key)
    return []


def _scaled(cfg: Section, found: Conversion) -> ListedTransforms:
    for name, expected in (("divsor", 255), ("img_shape", None)):
        if cfg.take(name, expected) != expected:
            raise ConfigError(f"{cfg.at(name)}: only {expected} is supported")
    return []


def _cut(cfg: Section, found: Conversion) -> ListedTransforms:
    _scaled(cfg, found)
    columns = cfg.take("cutting")
    return [
        {"name": "CropSides"} if columns is None else {"name": "CropSides", "columns": columns}
    ]


def _cut_parsing(cfg: Section, found: Conversion) -> ListedTransforms:
    found.inputs[0] = found.inputs[0].replace("silhouettes", "parsing")
    return _cut(cfg, found)


def _window(parameter: str) -> Callable[[Section, Conversion], ListedTransforms]:
    def convert(cfg: Section, found: Conversion) -> ListedTransforms:
        found.window = cfg.whole(parameter, 10)
        return []

    return convert


def _unlabelled_walks(cfg: Section, found: Conversion) -> ListedTransforms:
    """The augmentation of GaitSSB, which is six transforms in a row."""
    cutting = cfg.take("cutting")
    cut = {"name": "CropSides"} if cutting is None else {"name": "CropSides", "columns": cutting}
    chances = {
        key: cfg.take(key, default)
        for key, default in (("ra", 0.2), ("rp", 0.2), ("rhf", 0.5), ("rpd", 0.2), ("rpb", 0.2))
    }
    # Without an own range, the two bands have those that the transforms have by themselves.
    bands = {
        ours: cfg.wholes(key, default)
        for key, ours, default in (
            ("top_range", "top", [9, 20]),
            ("bot_range", "bottom", [39, 50]),
        )
    }
    return [
        {"name": "RandomAffine", "probability": chances["ra"]},
        {"name": "RandomPerspective", "probability": chances["rp"]},
        *([] if cutting == 0 else [cut]),
        {"name": "RandomHorizontalFlip", "probability": chances["rhf"]},
        {"name": "RandomPartDilate", "probability": chances["rpd"], **bands},
        {"name": "RandomPartBlur", "probability": chances["rpb"], **bands},
    ]


def _points(cfg: Section, found: Conversion) -> ListedTransforms:
    if not cfg.take("xyz_only", True):
        raise ConfigError(f"{cfg.at('xyz_only')}: only true is supported")
    augmentations = (
        ("flip_prob", "RandomFlipPoints"),
        ("shift_prob", "RandomShiftPoints"),
        ("jit_prob", "RandomJitterPoints"),
        ("scale_prob", "RandomScalePoints"),
        ("drop_prob", "RandomDropPoints"),
    )
    chances = [(name, cfg.take(key, 0)) for key, name in augmentations]
    return [
        {"name": "NormalisePoints", "heights": bool(cfg.take("scale_aware", False))},
        *({"name": name, "probability": chance} for name, chance in chances if chance),
    ]


def _of_joints(name: str) -> Callable[[Section, Conversion], ListedTransforms]:
    def convert(cfg: Section, found: Conversion) -> ListedTransforms:
        # Told by the number of joints here.
        cfg.take("joint_format")
        return [{"name": name}]

    return convert


def _inverse_poses(cfg: Section, found: Conversion) -> ListedTransforms:
    cfg.take("joint_format")
    return [{"name": "InversePoses", "probability": cfg.take("probability", 0.5)}]


def _graph_input(cfg: Section, found: Conversion) -> ListedTransforms:
    cfg.take("joint_format")
    return [{"name": "GaitGraphInput", "centre": cfg.take("center", 0)}]


# Foreign name -> our name and, by foreign parameter, our parameter.
_PLAIN: dict[str, tuple[str, dict[str, str]]] = {
    "RandomHorizontalFlip": ("RandomHorizontalFlip", {"prob": "probability"}),
    "RandomRotate": ("RandomRotate", {"prob": "probability", "degree": "degrees"}),
    "RandomPerspective": ("RandomPerspective", {"prob": "probability"}),
    "RandomAffine": ("RandomAffine", {"prob": "probability"}),
    "RandomErasing": (
        "RandomErasing",
        {
            "prob": "probability",
            "sl": "min_area",
            "sh": "max_area",
            "r1": "ratio",
            "per_frame": "per_frame",
        },
    ),
    "RandomPartDilate": (
        "RandomPartDilate",
        {"prob": "probability", "top_range": "top", "bot_range": "bottom"},
    ),
    "RandomPartBlur": (
        "RandomPartBlur",
        {"prob": "probability", "top_range": "top", "bot_range": "bottom"},
    ),
    "FlipSequence": ("FlipSequence", {"probability": "probability"}),
    "MirrorPoses": ("MirrorPoses", {"prob": "probability"}),
    "JointNoise": ("JointNoise", {"std": "std"}),
    "PointNoise": ("PointNoise", {"std": "std"}),
    "RandomMove": ("RandomMove", {"random_r": "reach"}),
    "NormalizeEmpty": ("NormalizeEmpty", {}),
}
_SPECIAL: dict[str, Callable[[Section, Conversion], ListedTransforms]] = {
    **dict.fromkeys(
        (
            "NoOperation",
            "BaseRgbTransform",
            "RatioHW",
            "Rearrange",
            "SkeletonInput",
            "GaitGraph1Input",
        ),
        _nothing,
    ),
    "BaseSilTransform": _scaled,
    "BaseSilCuttingTransform": _cut,
    "BaseParsingCuttingTransform": _cut_parsing,
    "DA4GaitSSB": _unlabelled_walks,
    "PointCloudsTransform": _points,
    "InversePosesPre": _inverse_poses,
    "GaitTRMultiInput": _of_joints("GaitTRInput"),
    "GaitGraphMultiInput": _graph_input,
    "MSGGTransform": _of_joints("MsGGInput"),
    "RandomSelectSequence": _window("sequence_length"),
    "SelectSequenceCenter": _window("sequence_length"),
}
