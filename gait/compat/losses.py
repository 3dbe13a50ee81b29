"""Losses of OpenGait in our terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gait.compat.foreign import Section, shortened
from gait.errors import ConfigError, nearest


def loss_sections(loss_cfg: Any, defaults: Mapping[str, Any] | None = None) -> list[Section]:
    """The losses of a `loss_cfg`, which is one mapping or a list of them.

    Args:
        defaults: what a single mapping inherits; a list inherits nothing.

    Raises:
        ConfigError: it is something else.
    """
    if isinstance(loss_cfg, Mapping):
        return [Section(loss_cfg, defaults, "loss_cfg")]
    if not isinstance(loss_cfg, Sequence) or isinstance(loss_cfg, str):
        raise ConfigError(
            f"loss_cfg: expected a mapping or a list of them, got {shortened(loss_cfg)}"
        )
    return [Section(each, path=f"loss_cfg.{index}") for index, each in enumerate(loss_cfg)]


def loss_of(
    cfg: Section, ours: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Any], float]:
    """The foreign name, our component and the weight of a loss.

    Args:
        ours: our loss for the prefixes where it is another than the type says.

    Raises:
        ConfigError: a loss that is not supported.
    """
    kind = cfg.text("type")
    if kind not in _LOSSES:
        raise ConfigError(f"{cfg.at('type')}: {kind!r} is no loss; {nearest(str(kind), _LOSSES)}")
    loss = _LOSSES[kind](cfg)
    prefix = cfg.text("log_prefix")
    loss["name"] = (ours or {}).get(prefix, loss["name"])
    return prefix, loss, cfg.number("loss_term_weight", 1.0)


def _triplet(cfg: Section) -> dict[str, Any]:
    return {"name": "Triplet", "margin": cfg.need("margin")}


def _cross_entropy(cfg: Section) -> dict[str, Any]:
    cfg.take("log_accuracy")
    smoothing = cfg.take("eps", 0.1) if cfg.take("label_smooth", True) else 0.0
    scale = cfg.take("scale", 16)
    return {"name": "CrossEntropy", "scale": scale, "label_smoothing": smoothing}


def _binary_cross_entropy(cfg: Section) -> dict[str, Any]:
    return {"name": "BinaryCrossEntropy", "epsilon": cfg.take("eps", 1e-9)}


def _supervised_contrast(similarity: str) -> Callable[[Section], dict[str, Any]]:
    return lambda cfg: {
        "name": "SupCon",
        "temperature": cfg.take("temperature", 0.01),
        "similarity": similarity,
    }


_LOSSES: dict[str, Callable[[Section], dict[str, Any]]] = {
    "TripletLoss": _triplet,
    "CrossEntropyLoss": _cross_entropy,
    "BinaryCrossEntropyLoss": _binary_cross_entropy,
    "SupConLoss_Re": _supervised_contrast("dot"),
    "SupConLoss_Lp": _supervised_contrast("distance"),
}
