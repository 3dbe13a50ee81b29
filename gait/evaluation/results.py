"""What scoring gives: per cell, per probe row and per protocol, in percent and unrounded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one probe row, as columns of equal length.

    Attributes:
        probe_view: view of the probes; 'all' where a cell holds every view.
        gallery_view: view of the gallery; 'all' where a cell holds every view.
        rank1_pct: None where the cell has no probe that could be compared.
        map_pct: None where no probe of the cell has a match in it; as is `minp_pct`.
        n_probe: probes compared, those without a match included.
        n_gallery: gallery sequences of the cell, before a probe's own exclusions.
        n_unmatched: probes compared whose subject is absent from the cell's gallery.
    """

    probe_view: list[str]
    gallery_view: list[str]
    rank1_pct: list[float | None]
    map_pct: list[float | None]
    minp_pct: list[float | None]
    n_probe: list[int]
    n_gallery: list[int]
    n_unmatched: list[int]


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a row of the table; None where there is nothing to average.

    Attributes:
        rank_pct: share of probes with a sequence of their subject among the first k, by k; where
            the gallery is smaller than k, among all of it.
        map_pct: mean average precision over the probes with a match.
        minp_pct: mean inverse negative penalty over the probes with a match.
        rank1_ci_pct: bounds of the 95 % interval of rank-1 when the subjects are resampled.
        n_probe: probe sequences selected.
        n_gallery: gallery sequences selected.
        n_unmatched: probes that were compared and met no sequence of their subject in any cell.
        n_not_compared: probes for which the exclusions leave no gallery at all.
    """

    rank_pct: dict[int, float | None]
    map_pct: float | None
    minp_pct: float | None
    rank1_ci_pct: tuple[float, float] | None
    n_probe: int
    n_gallery: int
    n_unmatched: int
    n_not_compared: int


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """One probe row of a protocol.

    Attributes:
        cmc_pct: cumulative match characteristic, percent at rank 1, 2, ...; empty without a value.
        note: why the row is empty, or which listed sequences it lacks; else an empty text.
    """

    summary: Summary
    cmc_pct: list[float]
    cells: Cells
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProtocolScore:
    """A protocol's probe rows and their plain mean.

    Attributes:
        mean: averages over the probe rows, None as soon as one of them has no value, so that it
            always is a mean of the same rows; its counts are of distinct sequences.
    """

    probes: dict[str, ProbeScore]
    mean: Summary
