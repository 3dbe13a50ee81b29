"""Losses of OpenGait in our terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gait.compat.foreign import Section
from gait.errors import ConfigError


def loss_sections(loss_cfg: Any, defaults: Mapping[str, Any] | None = None) -> list[Section]:
    """The losses of a `loss_cfg`, which is one mapping or a list of them.

    Args:
        defaults: what a single mapping inherits; a list inherits nothing.
    """
    if isinstance(loss_cfg, Mapping):
        return [Section(loss_cfg, defaults, "loss_cfg")]
    return [Section(each, path=f"loss_cfg.{index}") for index, each in enumerate(loss_cfg)]


def loss_of(cfg: Section) -> tuple[str, dict[str, Any], float]:
    """The foreign name, our component and the weight of a loss.

    Raises:
        ConfigError: a loss that is not supported.
    """
    kind = cfg.need("type")
    weight = float(cfg.take("loss_term_weight", 1.0))
    prefix = cfg.need("log_prefix")
    if kind == "TripletLoss":
        loss = {"name": "Triplet", "margin": cfg.need("margin")}
    elif kind == "CrossEntropyLoss":
        cfg.take("log_accuracy")
        smoothing = cfg.take("eps", 0.1) if cfg.take("label_smooth", True) else 0.0
        scale = cfg.take("scale", 16)
        loss = {"name": "CrossEntropy", "scale": scale, "label_smoothing": smoothing}
    else:
        raise ConfigError(
            f"{cfg.at('type')}: expected 'TripletLoss' or 'CrossEntropyLoss', got {kind!r}"
        )
    return prefix, loss, weight
