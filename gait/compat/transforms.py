"""Transforms of OpenGait in our terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gait.compat.foreign import Section
from gait.errors import ConfigError, nearest

# Foreign name -> our name and, by foreign parameter, our parameter.
_AUGMENTATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "RandomHorizontalFlip": ("RandomHorizontalFlip", {"prob": "probability"}),
    "RandomRotate": ("RandomRotate", {"prob": "probability", "degree": "degrees"}),
    "RandomPerspective": ("RandomPerspective", {"prob": "probability"}),
    "RandomAffine": ("RandomAffine", {"prob": "probability"}),
    "RandomErasing": (
        "RandomErasing",
        {
            "prob": "probability",
            "sl": "smallest",
            "sh": "largest",
            "r1": "ratio",
            "per_frame": "per_frame",
        },
    ),
}
_SCALING = ("BaseSilTransform", "BaseSilCuttingTransform")


def transforms_of(cfg: Section, key: str = "transform") -> tuple[list[dict[str, Any]], list[str]]:
    """Our transforms for the list under `key`.

    Silhouettes are divided by 255 after all transforms here, so the foreign transforms that only
    do that vanish.

    Returns:
        The transforms, and the dotted paths of parameters that never had an effect.

    Raises:
        ConfigError: several modalities, or a transform that is not supported.
    """
    listed = cfg.take(key)
    if not isinstance(listed, list) or len(listed) != 1:
        raise ConfigError(f"{cfg.at(key)}: expected one entry, for silhouettes, got {listed!r}")
    transforms: list[dict[str, Any]] = []
    unread: list[str] = []
    for section in _flattened(Section(listed[0], path=f"{cfg.at(key)}.0")):
        transforms += _transform(section)
        unread += section.unread()
    return transforms, unread


def _flattened(cfg: Section) -> Iterator[Section]:
    if cfg.need("type") != "Compose":
        yield cfg
        return
    for index, each in enumerate(cfg.need("trf_cfg")):
        yield from _flattened(Section(each, path=f"{cfg.at('trf_cfg')}.{index}"))


def _transform(cfg: Section) -> list[dict[str, Any]]:
    kind = cfg.need("type")
    if kind in _SCALING:
        for name, expected in (("divsor", 255), ("img_shape", None)):
            if cfg.take(name, expected) != expected:
                raise ConfigError(f"{cfg.at(name)}: only {expected} is supported")
        if kind == "BaseSilTransform":
            return []
        columns = cfg.take("cutting")
        return [
            {"name": "CutSides"} if columns is None else {"name": "CutSides", "columns": columns}
        ]
    if kind in _AUGMENTATIONS:
        name, parameters = _AUGMENTATIONS[kind]
        given = {ours: cfg.take(key) for key, ours in parameters.items() if key in cfg}
        return [{"name": name, **given}]
    known = [*_SCALING, *_AUGMENTATIONS, "Compose"]
    raise ConfigError(
        f"{cfg.at('type')}: {kind!r} cannot be converted; {nearest(str(kind), known)}"
    )
