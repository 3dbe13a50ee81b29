"""What tables show of each kind of protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gait.report.tables import Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that people look at, and what it shows of a row."""

    label: str
    value: Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """How protocols of one kind are shown.

    Attributes:
        headline: the one figure of a row that experiments are compared by.
        columns: all figures of a row.
        of_mean: what else is shown of the row 'mean' where experiments are compared.
        meaning: what the figures are.
    """

    headline: Callable[[Row], str]
    columns: list[Column]
    of_mean: list[Column]
    meaning: str


def interval_text(row: Row) -> str:
    """The 95 % interval of rank-1 or of the accuracy, with one decimal; empty without any."""
    low = row.rank1_ci_low_pct or row.accuracy_ci_low_pct
    high = row.rank1_ci_high_pct or row.accuracy_ci_high_pct
    return f"{float(low):.1f}-{float(high):.1f}" if low and high else ""


def published_by(rows: Iterable[Row], place: Callable[[Row], str]) -> list[str]:
    """A sentence for each origin of published figures, with the places that have them."""
    places: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.published_by:
            places.setdefault(row.published_by, {})[place(row)] = None
    return [f"Published by {whose}: {', '.join(each)}." for whose, each in places.items()]


_INTERVAL = Column("95 %", interval_text)
_PUBLISHED = Column("published", lambda row: row.published_rank1_pct)
_PROBES = Column("probes", lambda row: row.n_probe)
_GALLERY = Column("gallery", lambda row: row.n_gallery)
_RANKED = [
    Column("rank-5", lambda row: row.rank5_pct),
    Column("mAP", lambda row: row.map_pct),
    Column("mINP", lambda row: row.minp_pct),
]
_ACCEPTED = [
    Column("TAR at 1e-2", lambda row: row.tar_far_1e_2_pct),
    Column("at 1e-3", lambda row: row.tar_far_1e_3_pct),
    Column("at 1e-4", lambda row: row.tar_far_1e_4_pct),
]
_TOLD = [
    Column("sensitivity", lambda row: row.recall_pct),
    Column("specificity", lambda row: row.specificity_pct),
    Column("precision", lambda row: row.precision_pct),
    Column("F1", lambda row: row.f1_pct),
]

KINDS = {
    "retrieval": Kind(
        lambda row: row.rank1_pct,
        [
            Column("rank-1", lambda row: row.rank1_pct),
            _INTERVAL,
            _PUBLISHED,
            *_RANKED,
            _PROBES,
            _GALLERY,
        ],
        _RANKED,
        "Rank-1, rank-5: probes with their subject among the first 1 or 5 of the gallery. 95 %: "
        "interval of rank-1 when the subjects are resampled. mAP, mINP: mean average precision, "
        "mean inverse negative penalty.",
    ),
    "verification": Kind(
        lambda row: row.eer_pct,
        [Column("EER", lambda row: row.eer_pct), *_ACCEPTED, _PROBES, _GALLERY],
        _ACCEPTED,
        "EER: equal error rate of telling pairs of one subject from pairs of two. TAR: pairs of "
        "one subject accepted, when of the others at most one in 100, 1000 or 10000 is.",
    ),
    "classification": Kind(
        lambda row: row.accuracy_pct or row.recall_pct,
        [
            Column("accuracy", lambda row: row.accuracy_pct),
            _INTERVAL,
            *_TOLD,
            Column("sequences", lambda row: row.n_probe),
        ],
        _TOLD,
        "Sensitivity, specificity: sequences of a category told to be of it, and others told not "
        "to be. The mean has the accuracy over all sequences, its 95 % interval when the subjects "
        "are resampled, and the means over categories.",
    ),
    "segmentation": Kind(
        lambda row: row.miou_pct,
        [
            Column("mIoU", lambda row: row.miou_pct),
            Column("sequences", lambda row: row.n_probe),
        ],
        [],
        "mIoU: intersection over union of silhouettes as found and as given, mean over frames.",
    ),
    "submission": Kind(
        lambda row: row.rank1_pct,
        [_PUBLISHED, _PROBES, _GALLERY],
        [],
        "Published: rank-1 as the organisers measured it.",
    ),
}
